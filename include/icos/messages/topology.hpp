// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/ids.hpp"
#include "icos/ports/topology_view.hpp"

namespace icos::messages {

/// A node's existence, state, facts, labels or cordon changed. Publisher: fleet, after the change is durable.
struct NodeChanged {
    NodeId node{};
    std::string name{};
    NodeState state{NodeState::joining};
};

}  // namespace icos::messages
