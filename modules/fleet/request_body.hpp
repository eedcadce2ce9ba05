// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::fleet {

/// Body of POST /api/v1/tokens.
struct TokenRequest {
    std::optional<Duration> expires_in;
    std::uint32_t uses = 1;
    std::string cluster;
    std::map<std::string, std::string> labels;
    std::vector<agent::Device> devices;
    std::string replaces;  ///< name of the node that joins anew; cluster, labels and devices are that node's
};
/// Body of PATCH /api/v1/nodes/{name}; what is absent stays.
struct NodeChange {
    std::map<std::string, std::optional<std::string>> labels;  ///< nullopt removes
    std::optional<std::string> location;
    std::optional<std::vector<agent::Device>> devices;
    std::optional<bool> cordoned;
    std::optional<bool> draining;        ///< true: cordoned as well; `cordoned` false ends it
    std::optional<bool> confirmed_lost;  ///< true only for a node that is lost
};

/// Each checks everything it reads: http.bad_request for what is not JSON, node.invalid_label and
/// node.invalid with the member's place otherwise. Unknown members are refused, so that a misspelt one is not
/// lost.
Result<TokenRequest> read_token_request(std::string_view body);
Result<NodeChange> read_node_change(std::string_view body);

}  // namespace icos::fleet
