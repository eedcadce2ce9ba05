// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "state.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

/// Asks the Matchmaker where the replicas of one application go, without ever counting the same capacity
/// twice: what a replica leaves behind stays taken until the node confirmed that it is gone. Pure.
namespace icos::job_manager {

/// A replica of the application that has a node now.
struct Home {
    std::string component{};
    std::uint32_t replica = 0;
    NodeId node{};
    Claim claim{};        ///< what it takes there today
    bool pinned = false;  ///< nothing about it changed
};

struct PlanInput {
    PlaceRequest request{};  ///< without `existing`; `claims`: everything but the homes
    std::vector<Home> homes{};
};

/// Nodes that are to be left, and by what.
struct Leaving {
    std::set<NodeId> lost{};       ///< given up: `replace` gets a new home
    std::set<NodeId> drained{};    ///< an operator empties them: whatever holds no data of its own goes
    std::set<NodeId> silent{};     ///< of the lost ones: their agents have ended what was `exclusive` there
    std::set<NodeId> confirmed{};  ///< an operator said that nothing runs there any more
};
/// Whether a replica of the component has to look for another home than `node`.
bool has_to_leave(const descriptor::Component& component, const NodeId& node, const Leaving& leaving);

/// Everything known about `app` and what others take, to plan its application `wanted` (that of its current
/// generation, or the next one).
PlanInput plan_input(
    const State& state,
    const App* app,
    const std::string& name,
    std::shared_ptr<const descriptor::Application> wanted,
    const Leaving& leaving,
    WallTime now
);

/// Whether a plan is so small that handing it to another thread and back costs more than making it: at most
/// a few hundred ways to choose.
bool is_quick(const Topology& topology, const PlanInput& input);

PlaceResult plan(const Matchmaker& matchmaker, const Topology& topology, PlanInput input);

}  // namespace icos::job_manager
