// SPDX-License-Identifier: Apache-2.0
#include "desired.hpp"
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"

#include <algorithm>

namespace icos::job_manager {
namespace {

/// Its node answers again and has it, however it does there: the reason to move is gone.
bool is_back(const Placement& left, const Placement& home, const Topology& topology) {
    const Node* node = topology.find(left.node);
    return node != nullptr && node->state == NodeState::ready && !node->cordoned && left.observed &&
           left.digest == home.digest;
}

}  // namespace

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

/// Copies of one application change over together: what belongs together stays complete on either side. A
/// copy whose node is back before that stays instead of its successor.
void JobService::settle_moves(App& app, Step& step) {
    const auto topology = ports_.topology.current();
    std::vector<Placement*> left_behind;
    bool all_ready = true;
    for (Placement* placement : state_.of_app(app.id)) {
        if (!placement->retiring || placement->removing) continue;
        Placement* home = state_.home(app.id, placement->component, placement->replica);
        const Node* node = home == nullptr ? nullptr : topology->find(home->node);
        // Without a successor nothing keeps it: the replica is no longer wanted.
        const bool is_ready =
            home == nullptr || (node != nullptr && view_of(*home, app.desired, node, {}).is_ready);
        if (!is_ready && is_back(*placement, *home, *topology)) {
            placement->retiring = false;
            app.needs_planning = true;  // its generation may be an earlier one with the same content
            step.placements.insert(placement->id);
            step.events.push_back(replica_event(
                app,
                "placement.kept",
                placement->component,
                placement->replica,
                placement->node_name,
                placement->node_name + " returned before " + home->node_name + " was ready"
            ));
            start_removing(*home, step);
            claims_changed();
            continue;
        }
        all_ready = all_ready && is_ready;
        left_behind.push_back(placement);
    }
    if (!all_ready) return;
    for (Placement* placement : left_behind) start_removing(*placement, step);
}

}  // namespace icos::job_manager
