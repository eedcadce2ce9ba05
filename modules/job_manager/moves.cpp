// SPDX-License-Identifier: Apache-2.0
#include "desired.hpp"
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"

#include <algorithm>

namespace icos::job_manager {

void JobService::retire(Placement& placement, Step& step) {
    placement.retiring = true;
    step.placements.insert(placement.id);
    step.touched.insert(placement.app);
    claims_changed();
}

bool JobService::is_blocked(const App& app, const std::string& component, std::uint32_t replica) const {
    const auto placements = state_.of_app(app.id);
    return std::any_of(placements.begin(), placements.end(), [&](const Placement* placement) {
        return placement->component == component && placement->replica == replica && placement->removing &&
               !leaving_.confirmed.contains(placement->node);
    });
}

bool JobService::has_blocked(const App& app, const PlaceResult& result) const {
    if (app.desired != Desired::running) return false;
    return std::any_of(result.decisions.begin(), result.decisions.end(), [&](const auto& decision) {
        const auto* component = find_component(*app.application(), decision.component);
        return decision.node && component != nullptr &&
               loss_rule(*component) == descriptor::OnNodeLoss::exclusive &&
               is_blocked(app, decision.component, decision.replica);
    });
}

std::string JobService::why_moved(const Placement& home, const App& app) const {
    if (leaving_.confirmed.contains(home.node)) return "cause: node confirmed lost";
    if (leaving_.lost.contains(home.node)) return "cause: node lost";
    if (leaving_.drained.contains(home.node)) return "cause: node drained";
    return "generation " + std::to_string(app.generation) + " does not fit " + home.node_name;
}

void JobService::look_at_losses(const Topology& topology) {
    const bool was_mass = losses_.is_mass_loss();
    losses_.update(topology, ports_.runtime.boot());
    if (losses_.is_mass_loss() && !was_mass) {
        log_.warning(
            "many nodes went at once: nothing is moved until most are back",
            {{"hint", "icos node confirm-lost NAME, if one really is gone"}}
        );
    }
    Leaving leaving;
    leaving.lost = losses_.given_up();
    for (const Node& node : topology.nodes) {
        if (node.draining && node.state != NodeState::lost) leaving.drained.insert(node.id);
        if (node.confirmed_lost) leaving.confirmed.insert(node.id);
    }
    leaving_ = std::move(leaving);
    for (const auto& [id, placement] : state_.placements()) {
        if (placement.removing || placement.retiring) continue;
        App* app = state_.find(placement.app);
        if (app == nullptr || app->desired != Desired::running) continue;
        const auto* component = find_component(*app->application(), placement.component);
        if (component != nullptr && has_to_leave(*component, placement.node, leaving_))
            app->needs_planning = true;
    }
}

void JobService::settle_moves(Step& step) {
    std::set<AppId> moving;
    for (const auto& [id, placement] : state_.placements()) {
        if (placement.retiring && !placement.removing) moving.insert(placement.app);
    }
    for (const AppId& id : moving) {
        if (App* app = state_.find(id)) settle_moves(*app, step);
    }
}

/// Copies of one application change over together: what belongs together stays complete on either side.
void JobService::settle_moves(App& app, Step& step) {
    const auto topology = ports_.topology.current();
    struct Move {
        Placement* old_copy = nullptr;
        Placement* new_copy = nullptr;
    };
    std::vector<Move> moves;
    bool all_ready = true;
    bool may_return = true;
    for (Placement* placement : state_.of_app(app.id)) {
        if (!placement->retiring || placement->removing) continue;
        Placement* home = state_.home(app.id, placement->component, placement->replica);
        moves.push_back({placement, home});
        const Node* node = topology->find(placement->node);
        const auto is_ready = [&](const Placement& copy, const Node* place) {
            return place != nullptr && view_of(copy, app.desired, place, {}).is_ready;
        };
        // Without a successor nothing keeps it: the replica is no longer wanted.
        if (home != nullptr && !is_ready(*home, topology->find(home->node))) all_ready = false;
        // Back with what it had, however that does: the reason to move is gone.
        const bool is_back =
            node != nullptr && node->state == NodeState::ready && !node->cordoned && placement->observed;
        if (home == nullptr || !is_back || placement->generation != home->generation) may_return = false;
    }
    if (moves.empty() || (!all_ready && !may_return)) return;
    for (const Move& move : moves) {
        if (all_ready) {
            start_removing(*move.old_copy, step);
            continue;
        }
        move.old_copy->retiring = false;
        step.placements.insert(move.old_copy->id);
        step.events.push_back(replica_event(
            app,
            "placement.kept",
            move.old_copy->component,
            move.old_copy->replica,
            move.old_copy->node_name,
            move.old_copy->node_name + " returned before " + move.new_copy->node_name + " was ready"
        ));
        start_removing(*move.new_copy, step);
    }
    claims_changed();
}

}  // namespace icos::job_manager
