// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "state.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// From observations to the words people read: one state per replica, component and application. Pure.
namespace icos::job_manager {

enum class ReplicaState {
    pending,
    preparing,
    starting,
    running,
    unhealthy,
    restarting,
    stopped,
    completed,
    failed,
    removing,
    unreachable
};
std::string_view to_string(ReplicaState state) noexcept;

struct ReplicaView {
    std::string component{};
    ReplicaState state = ReplicaState::pending;
    std::string reason{};
    std::string reason_code{};
    bool is_placed = true;
    bool is_ready = false;    ///< runs (or completed) with the content that is wanted
    bool is_leaving = false;  ///< on its way out: not counted
};

/// One placement. `node` is null when the topology no longer has it; `plan_problem` is why the node did not
/// take the last plan.
ReplicaView view_of(
    const Placement& placement, Desired desired, const Node* node, std::string_view plan_problem
);
/// A replica without a node.
ReplicaView view_of(const ReplicaDecision& waiting);

/// All replicas of an application: placements, then those that wait for a node. `problems`: per node, why it
/// did not take the last plan.
std::vector<ReplicaView> replicas_of(
    const State& state,
    const App& app,
    const Topology& topology,
    const std::map<NodeId, std::string>& problems
);

struct Rollup {
    AppState state = AppState::pending;
    std::string reason{};
    std::string reason_code{};
    std::uint32_t ready = 0;
    std::uint32_t total = 0;
};
Rollup roll_up(Desired desired, std::span<const ReplicaView> replicas);

}  // namespace icos::job_manager
