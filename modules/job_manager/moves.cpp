// SPDX-License-Identifier: Apache-2.0
#include "connections.hpp"
#include "desired.hpp"
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"

#include <algorithm>

namespace icos::job_manager {
namespace {

/// For the nodes whose components connect to a copy to take the plan that sends them to its successor.
constexpr Duration kTellLimit{60'000};

/// Its node answers again and has it, however it does there: the reason to move is gone. Not if it had to
/// move because the application asks for something else now.
bool is_back(const App& app, const Placement& left, const Placement& home, const Topology& topology) {
    const Node* node = topology.find(left.node);
    const auto revision = app.revisions.find(left.generation);
    return node != nullptr && node->state == NodeState::ready && !node->cordoned && left.observed &&
           left.digest == home.digest && revision != app.revisions.end() &&
           same_demands(*revision->second, *app.application(), left.component);
}

}  // namespace

void JobService::retire(Placement& placement, Step& step) {
    placement.retiring = true;
    placement.has_returned = false;
    step.placements.insert(placement.id);
    step.touched.insert(placement.app);
    claims_changed();
}

bool JobService::is_blocked(
    const App& app, const std::string& component, std::uint32_t replica, const Topology& topology
) const {
    const auto placements = state_.of_app(app.id);
    return std::any_of(placements.begin(), placements.end(), [&](const Placement* placement) {
        if (placement->component != component || placement->replica != replica) return false;
        const Node* node = topology.find(placement->node);
        const bool is_silent =
            node != nullptr && node->state == NodeState::lost && losses_.silent().contains(node->id);
        return node != nullptr && !node->confirmed_lost && !is_silent;
    });
}

bool JobService::has_blocked(const App& app, const PlaceResult& result, const Topology& topology) const {
    if (app.desired != Desired::running) return false;
    return std::any_of(result.decisions.begin(), result.decisions.end(), [&](const auto& decision) {
        const auto* component = find_component(*app.application(), decision.component);
        return decision.node && component != nullptr &&
               loss_rule(*component) == descriptor::OnNodeLoss::exclusive &&
               state_.home(app.id, decision.component, decision.replica) == nullptr &&
               is_blocked(app, decision.component, decision.replica, topology);
    });
}

std::string JobService::why_moved(const Placement& home, const App& app, const Topology& topology) const {
    const Leaving now = leaving(topology);
    if (now.confirmed.contains(home.node)) return "cause: node confirmed lost";
    if (now.lost.contains(home.node)) return "cause: node lost";
    if (now.drained.contains(home.node)) return "cause: node drained";
    return "generation " + std::to_string(app.generation) + " does not fit " + home.node_name;
}

Leaving JobService::leaving(const Topology& topology) const {
    Leaving out;
    for (const Node& node : topology.nodes) {
        const bool is_lost = node.state == NodeState::lost;
        if (is_lost && losses_.given_up().contains(node.id)) out.lost.insert(node.id);
        if (is_lost && losses_.silent().contains(node.id)) out.silent.insert(node.id);
        if (node.draining && !is_lost) out.drained.insert(node.id);
        if (node.confirmed_lost) out.confirmed.insert(node.id);
    }
    return out;
}

void JobService::look_at_losses(const Topology& topology, Step& step) {
    const bool was_mass = losses_.is_mass_loss();
    losses_.update(topology, ports_.runtime.boot());
    if (losses_.is_mass_loss() != was_mass) {
        EventDraft event;
        event.kind = was_mass ? "moves.resumed" : "moves.held";
        event.subject_kind = "nodes";
        event.subject = "nodes";
        event.message = was_mass
                            ? "most nodes are back"
                            : "many nodes were lost at once: nothing moves until most are back; icos node "
                              "confirm-lost NAME, if one really is gone";
        event.actor = kSelf;
        log_.warning(event.message);
        step.events.push_back(std::move(event));
    }
    const Leaving now = leaving(topology);
    for (const auto& [id, placement] : state_.placements()) {
        if (placement.removing || placement.retiring) continue;
        App* app = state_.find(placement.app);
        if (app == nullptr || app->desired != Desired::running) continue;
        const auto* component = find_component(*app->application(), placement.component);
        if (component != nullptr && has_to_leave(*component, placement.node, now)) app->needs_planning = true;
    }
}

bool JobService::is_drained(const App& app, Placement& left) {
    const auto topology = ports_.topology.current();
    const Node* node = topology->find(left.node);
    const bool is_reached = node != nullptr && node->state != NodeState::lost;
    const auto& application = *app.application();
    const auto* component = find_component(application, left.component);
    const bool serves =
        component != nullptr && !component->service_ports.empty() && left.observed.has_value();
    if (!is_reached || !serves || !is_provider(application, left.component)) return true;
    const BootTime now = ports_.runtime.boot();
    const auto look_again = [this](BootTime at) {
        if (!drain_due_ || at < *drain_due_) drain_due_ = at;
        wake();
    };
    if (!left.superseded_at) {
        // The plans that this step is about to make send connections to its successor.
        left.superseded_at = now;
        look_again(now + kTellLimit);
        return false;
    }
    if (!left.left_at) {
        const bool is_known =
            std::all_of(topology->nodes.begin(), topology->nodes.end(), [&](const Node& each) {
                const auto target = targets_.find(each.id);
                const bool matters = each.state != NodeState::lost && target != targets_.end() &&
                                     !state_.on_node(each.id).empty();
                return !matters || target->second.accepted == target->second.planned;
            });
        // A node that cannot be told keeps nothing waiting for ever.
        if (!is_known && now < *left.superseded_at + kTellLimit) {
            look_again(*left.superseded_at + kTellLimit);
            return false;
        }
        left.left_at = now;
    }
    if (now >= *left.left_at + settings_.drain) return true;
    look_again(*left.left_at + settings_.drain);
    return false;
}

bool JobService::is_moving(const AppId& app) const {
    const auto placements = state_.of_app(app);
    return std::any_of(placements.begin(), placements.end(), [](const Placement* placement) {
        return placement->retiring && !placement->removing;
    });
}

void JobService::settle_moves(Step& step) {
    drain_due_.reset();
    std::set<AppId> moving;
    for (const auto& [id, placement] : state_.placements()) {
        if (placement.retiring && !placement.removing) moving.insert(placement.app);
    }
    for (const AppId& id : moving) {
        if (App* app = state_.find(id)) settle_moves(*app, step);
    }
}

/// What left one node together changes over together, or returns together: components that talk to each other
/// stay complete on either side.
void JobService::settle_moves(App& app, Step& step) {
    const auto topology = ports_.topology.current();
    struct Move {
        Placement* left = nullptr;
        Placement* home = nullptr;  ///< null: the replica is no longer wanted, nothing keeps what was left
    };
    std::map<NodeId, std::vector<Move>> moves;
    for (Placement* placement : state_.of_app(app.id)) {
        if (!placement->retiring || placement->removing) continue;
        Placement* home = state_.home(app.id, placement->component, placement->replica);
        moves[placement->node].push_back({placement, home});
    }
    const auto is_ready = [&](const Placement& copy) {
        const Node* node = topology->find(copy.node);
        return node != nullptr && view_of(copy, app.desired, node, {}).is_ready;
    };
    // Never from a copy that is ready to one that is not; what its node does not say may be ready, also while
    // a node that answers again has not reported what it did meanwhile.
    const auto is_known_not_ready = [&](const Placement& copy) {
        const Node* node = topology->find(copy.node);
        const auto target = targets_.find(copy.node);
        const bool says_what_it_has = target != targets_.end() && target->second.is_known;
        return node != nullptr && node->state == NodeState::ready && says_what_it_has && !is_ready(copy);
    };
    const auto is_reached = [&](const NodeId& id) {
        const Node* node = topology->find(id);
        return node != nullptr && node->state != NodeState::lost;
    };
    // A stopped application has nothing to lose; one that may be started again has what a lost node runs.
    const auto has_changed_over = [&](const Move& move) {
        const bool is_idle = app.desired == Desired::stopped && is_reached(move.left->node);
        // Of copies that work nowhere the one that returned is kept.
        const bool is_extra =
            move.home != nullptr && move.home->has_returned && is_known_not_ready(*move.left);
        return move.home == nullptr || is_idle || is_extra || is_ready(*move.home);
    };
    std::set<const Placement*> given_up;  // homes; some may be gone from the state already
    for (const auto& [node_id, group] : moves) {
        // Of several copies that were left one returns.
        if (std::any_of(group.begin(), group.end(), [&](const Move& m) { return given_up.contains(m.home); }))
            continue;
        // What works at neither place keeps nothing waiting, unless its node is away: then nobody knows.
        const bool may_change_over = std::all_of(group.begin(), group.end(), [&](const Move& move) {
            return has_changed_over(move) || is_known_not_ready(*move.left);
        });
        bool may_go = may_change_over;
        for (const Move& move : group) {
            if (!may_change_over) {
                move.left->superseded_at.reset();
                move.left->left_at.reset();
            } else if (has_changed_over(move) && !is_drained(app, *move.left)) {
                may_go = false;
            }
        }
        const bool is_done = std::all_of(group.begin(), group.end(), has_changed_over);
        const bool returns = !is_done && std::all_of(group.begin(), group.end(), [&](const Move& move) {
            return move.home != nullptr && is_back(app, *move.left, *move.home, *topology) &&
                   (is_ready(*move.left) || (!move.home->has_returned && is_known_not_ready(*move.home)));
        });
        for (const Move& move : group) {
            if (returns) {
                given_up.insert(move.home);
                take_back(app, *move.left, *move.home, step);
            } else if (may_go && has_changed_over(move)) {
                start_removing(*move.left, step);
            }
        }
    }
}

void JobService::take_back(App& app, Placement& left, Placement& home, Step& step) {
    left.retiring = false;
    left.has_returned = true;
    app.needs_planning = true;  // its generation may be an earlier one with the same content
    step.placements.insert(left.id);
    step.events.push_back(replica_event(
        app,
        "placement.kept",
        left.component,
        left.replica,
        left.node_name,
        left.node_name + " returned before " + home.node_name + " was ready"
    ));
    start_removing(home, step);
    claims_changed();
}

}  // namespace icos::job_manager
