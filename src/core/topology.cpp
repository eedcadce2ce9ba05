// SPDX-License-Identifier: Apache-2.0
#include "icos/ports/topology_view.hpp"

#include <algorithm>

namespace icos {

std::string_view to_string(NodeState state) noexcept {
    switch (state) {
        case NodeState::joining:
            return "joining";
        case NodeState::ready:
            return "ready";
        case NodeState::suspect:
            return "suspect";
        case NodeState::lost:
            return "lost";
    }
    return "joining";
}

const Node* Topology::find(const NodeId& id) const {
    const auto found =
        std::lower_bound(nodes.begin(), nodes.end(), id, [](const Node& node, const NodeId& wanted) {
            return node.id < wanted;
        });
    return found != nodes.end() && found->id == id ? &*found : nullptr;
}

const Node* Topology::find_name(std::string_view name) const {
    const auto found =
        std::find_if(nodes.begin(), nodes.end(), [name](const Node& node) { return node.name == name; });
    return found != nodes.end() ? &*found : nullptr;
}

}  // namespace icos
