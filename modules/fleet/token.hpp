// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/error.hpp"
#include "icos/core/ids.hpp"
#include "icos/core/time.hpp"
#include "label_rules.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::fleet {

struct TokenUse {
    std::string node;
    WallTime at{};
};

/// A join token as it is stored (row kind "token"): never the secret, only its hash.
struct Token {
    std::string id;
    std::string secret_hash;  ///< SHA-256 hex of the secret
    std::string cluster;      ///< empty: the node gets a cluster of its own
    Labels labels;
    std::vector<agent::Device> devices;
    WallTime created_at{};
    WallTime expires_at{};
    std::uint32_t uses = 1;
    std::string created_by;
    NodeId replaces;  ///< not empty: whoever joins with it becomes this node, under a new key
    /// Boot clock of the creation, while the controller that made it still runs: its wall clock may be set
    /// meanwhile.
    std::optional<BootTime> created_boot;
    std::vector<TokenUse> used_by;

    std::uint32_t uses_left() const noexcept {
        return uses > used_by.size() ? uses - static_cast<std::uint32_t>(used_by.size()) : 0;
    }
};

inline constexpr std::string_view kTokenRow = "token";
std::string to_row(const Token& token);
Result<Token> token_from_row(const std::string& id, std::string_view body);

/// node.token_spent (by which node and when) or node.token_expired, unless one more node may join now. While
/// the token's maker runs, the boot clock decides how old it is: a wall clock that is set neither ends it
/// early nor prolongs it.
Result<void> check_usable(const Token& token, WallTime now, BootTime boot);

/// What a joining node gets, of what the token fixes and what it brings itself. The token wins: own labels
/// only add keys that it does not have; with devices in the token, own ones only choose among them.
std::vector<agent::Device> narrowed_devices(
    const std::vector<agent::Device>& fixed, const std::vector<agent::Device>& own
);

}  // namespace icos::fleet
