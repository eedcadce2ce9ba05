// SPDX-License-Identifier: Apache-2.0
#include "rollup.hpp"

#include <algorithm>

namespace icos::job_manager {
namespace {

ReplicaState from(agent::PlacementState state) {
    switch (state) {
        case agent::PlacementState::pending:
            return ReplicaState::pending;
        case agent::PlacementState::preparing:
            return ReplicaState::preparing;
        case agent::PlacementState::starting:
            return ReplicaState::starting;
        case agent::PlacementState::running:
            return ReplicaState::running;
        case agent::PlacementState::unhealthy:
            return ReplicaState::unhealthy;
        case agent::PlacementState::restarting:
            return ReplicaState::restarting;
        case agent::PlacementState::stopped:
            return ReplicaState::stopped;
        case agent::PlacementState::completed:
            return ReplicaState::completed;
        case agent::PlacementState::failed:
            return ReplicaState::failed;
        case agent::PlacementState::removing:
            return ReplicaState::removing;
    }
    return ReplicaState::pending;
}

bool is_serving(ReplicaState state) {
    return state == ReplicaState::running || state == ReplicaState::completed;
}

bool is_in_progress(const ReplicaView& replica) {
    if (!replica.is_placed) return false;
    switch (replica.state) {
        case ReplicaState::pending:
        case ReplicaState::preparing:
        case ReplicaState::starting:
        case ReplicaState::removing:
            return true;
        default:
            return false;
    }
}

bool is_impaired(const ReplicaView& replica) {
    switch (replica.state) {
        case ReplicaState::unhealthy:
        case ReplicaState::restarting:
        case ReplicaState::unreachable:
            return true;
        // The old content serves and the new one was refused.
        case ReplicaState::running:
        case ReplicaState::completed:
            return !replica.is_ready;
        default:
            return false;
    }
}

void describe_content(
    const Placement& placement, Desired desired, std::string_view plan_problem, ReplicaView& view
) {
    const auto& observed = placement.observed;
    const bool is_current = observed && observed->digest == placement.digest;
    const bool is_known = is_current || (observed && observed->wanted_digest == placement.digest);
    if (!is_known) {
        view.state = ReplicaState::pending;
        if (!plan_problem.empty()) {
            view.reason = placement.node_name + " did not take the plan: " + std::string(plan_problem);
            view.reason_code = "node.plan_refused";
        }
        return;
    }
    view.state = from(observed->state);
    view.reason = observed->reason;
    view.reason_code = observed->reason_code;
    if (desired == Desired::running && view.state == ReplicaState::stopped)
        view.state = ReplicaState::pending;
    // The old content still serves while the new one is on its way, until the node says that it gave up.
    if (!is_current && !observed->digest.empty() && is_serving(view.state) && view.reason.empty()) {
        view.state = ReplicaState::preparing;
    }
    view.is_ready = is_current && desired == Desired::running && is_serving(view.state);
}

}  // namespace

std::string_view to_string(ReplicaState state) noexcept {
    switch (state) {
        case ReplicaState::pending:
            return "pending";
        case ReplicaState::preparing:
            return "preparing";
        case ReplicaState::starting:
            return "starting";
        case ReplicaState::running:
            return "running";
        case ReplicaState::unhealthy:
            return "unhealthy";
        case ReplicaState::restarting:
            return "restarting";
        case ReplicaState::stopped:
            return "stopped";
        case ReplicaState::completed:
            return "completed";
        case ReplicaState::failed:
            return "failed";
        case ReplicaState::removing:
            return "removing";
        case ReplicaState::unreachable:
            return "unreachable";
    }
    return "pending";
}

ReplicaView view_of(
    const Placement& placement, Desired desired, const Node* node, std::string_view plan_problem
) {
    ReplicaView view;
    view.component = placement.component;
    view.is_leaving = placement.removing || placement.retiring;
    const bool is_away = node == nullptr || node->state == NodeState::lost;
    const std::string away = placement.node_name + (node == nullptr ? " is no longer known" : " is lost");
    if (placement.removing || desired == Desired::deleted) {
        view.state = ReplicaState::removing;
        if (is_away) view.reason = "waits for the node: " + away;
        if (is_away) view.reason_code = "node.unreachable";
        return view;
    }
    if (is_away) {
        view.state = ReplicaState::unreachable;
        view.reason = away;
        view.reason_code = "node.unreachable";
        return view;
    }
    describe_content(placement, desired, plan_problem, view);
    if (view.state == ReplicaState::pending && view.reason.empty() && node->state != NodeState::ready) {
        view.reason = placement.node_name + " is " + std::string(to_string(node->state));
        view.reason_code = "node.unreachable";
    }
    return view;
}

ReplicaView view_of(const ReplicaDecision& waiting) {
    ReplicaView view;
    view.component = waiting.component;
    view.is_placed = false;
    view.reason = waiting.reason;
    view.reason_code = "placement.no_node";
    return view;
}

std::vector<ReplicaView> replicas_of(
    const State& state,
    const App& app,
    const Topology& topology,
    const std::map<NodeId, std::string>& problems
) {
    std::vector<ReplicaView> out;
    std::set<ReplicaKey> placed;
    for (const Placement* placement : state.of_app(app.id)) {
        const auto problem = problems.find(placement->node);
        const std::string_view text = problem == problems.end() ? std::string_view() : problem->second;
        ReplicaView view = view_of(*placement, app.desired, topology.find(placement->node), text);
        const ReplicaKey key{placement->component, placement->replica};
        if (!view.is_leaving) {
            placed.insert(key);
            const auto waiting = app.waiting.find(key);
            if (waiting != app.waiting.end() && app.desired == Desired::running) {
                if (placement->generation != app.generation) {
                    view.is_ready = false;
                    view.reason =
                        "generation " + std::to_string(app.generation) + ": " + waiting->second.reason;
                    view.reason_code = "placement.no_node";
                } else if (view.state == ReplicaState::unreachable) {
                    view.reason += "; " + waiting->second.reason;
                }
            }
        }
        out.push_back(std::move(view));
    }
    for (const auto& [key, decision] : app.waiting) {
        if (!placed.contains(key)) out.push_back(view_of(decision));
    }
    return out;
}

Rollup roll_up(Desired desired, std::span<const ReplicaView> replicas) {
    Rollup out;
    const ReplicaView* why = nullptr;
    // The first that explains the state; a placed one before one that waits.
    const auto blame = [&](auto&& matches) {
        for (const ReplicaView& replica : replicas) {
            if (why == nullptr && !replica.is_leaving && matches(replica) && !replica.reason.empty())
                why = &replica;
        }
    };
    std::uint32_t failed = 0;
    std::uint32_t impaired = 0;
    std::uint32_t in_progress = 0;
    std::uint32_t unplaced = 0;
    std::uint32_t halted = 0;
    for (const ReplicaView& replica : replicas) {
        if (replica.is_leaving) continue;
        ++out.total;
        if (replica.is_ready) ++out.ready;
        if (!replica.is_placed) ++unplaced;
        if (replica.state == ReplicaState::failed) ++failed;
        if (is_impaired(replica)) ++impaired;
        if (is_in_progress(replica)) ++in_progress;
        if (replica.state == ReplicaState::stopped || replica.state == ReplicaState::completed ||
            !replica.is_placed)
            ++halted;
    }
    if (desired == Desired::deleted) {
        out.state = AppState::deleting;
        for (const ReplicaView& replica : replicas) {
            if (why == nullptr && !replica.reason.empty()) why = &replica;
        }
    } else if (desired == Desired::stopped) {
        out.state = halted == out.total ? AppState::stopped : AppState::stopping;
        if (out.state == AppState::stopping) blame([](const ReplicaView& r) { return r.is_placed; });
    } else if (failed > 0) {
        out.state =
            out.ready == 0 && in_progress == 0 && impaired == 0 ? AppState::failed : AppState::degraded;
        blame([](const ReplicaView& r) { return r.state == ReplicaState::failed; });
    } else if (impaired > 0) {
        out.state = AppState::degraded;
        blame(is_impaired);
    } else if (in_progress > 0) {
        out.state = AppState::deploying;
        blame(is_in_progress);
        blame([](const ReplicaView& r) { return !r.is_placed; });
    } else if (unplaced > 0) {
        out.state = out.ready > 0 ? AppState::degraded : AppState::pending;
        blame([](const ReplicaView& r) { return !r.is_placed; });
    } else {
        // Nothing at all: not placed yet.
        out.state = out.total == 0 ? AppState::pending : AppState::running;
    }
    if (why != nullptr) {
        out.reason = why->component + ": " + why->reason;
        out.reason_code = why->reason_code;
    }
    return out;
}

}  // namespace icos::job_manager
