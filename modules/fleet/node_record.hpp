// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/ids.hpp"
#include "icos/core/time.hpp"
#include "icos/ports/topology_view.hpp"
#include "label_rules.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::fleet {

/// A node as it is stored (row kind "node", id = node id).
struct NodeRecord {
    NodeId id;
    std::string name;
    std::string cluster;
    std::string key_id;       ///< SHA-256 of the key's SubjectPublicKeyInfo
    std::string token_id;     ///< that it joined with
    std::string certificate;  ///< PEM as issued last, so that a repeated join gets the same answer
    /// Of `certificate`; nullopt: a release before this one issued it and nothing is known.
    std::optional<WallTime> certificate_until;
    WallTime joined_at{};
    agent::Facts facts;  ///< as the agent last said
    /// What the token and `icos node label|set` decided; the node's own facts fill in the rest. A label
    /// without a value hides the node's own.
    std::map<std::string, std::optional<std::string>> fixed_labels;
    std::optional<std::vector<agent::Device>> fixed_devices;
    std::optional<std::string> fixed_location;
    bool cordoned = false;
    bool draining = false;
    bool confirmed_lost = false;
    NodeState state = NodeState::joining;  ///< at the last transition
    std::optional<WallTime> last_seen;     ///< at the last transition
    std::uint64_t revision = 1;            ///< grows with each change that people make: the ETag

    /// The node's labels with the fixed ones over them; own ones that break the rules are left out.
    Labels labels() const;
    const std::vector<agent::Device>& devices() const;
    const std::string& location() const;
};

inline constexpr std::string_view kNodeRow = "node";
std::string to_row(const NodeRecord& record);
/// store.corrupt when the text is not such a row.
Result<NodeRecord> node_from_row(const std::string& id, std::string_view body);

/// "docker 20.10 -> 24.0, memory 7.8Gi -> 3.9Gi"; empty when nothing people care for differs.
std::string describe_change(const agent::Facts& before, const agent::Facts& after);
/// "x86_64, 4 cores, 7.8Gi, docker 20.10".
std::string describe(const agent::Facts& facts);

}  // namespace icos::fleet
