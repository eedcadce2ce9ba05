// SPDX-License-Identifier: Apache-2.0
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"

#include <algorithm>
#include <utility>

namespace icos::job_manager {
namespace {

bool is_worth_an_event(ReplicaState state) {
    switch (state) {
        case ReplicaState::running:
        case ReplicaState::unhealthy:
        case ReplicaState::restarting:
        case ReplicaState::stopped:
        case ReplicaState::completed:
        case ReplicaState::failed:
            return true;
        // On the way: shown in status, too many for a history.
        case ReplicaState::pending:
        case ReplicaState::preparing:
        case ReplicaState::starting:
        case ReplicaState::removing:
        case ReplicaState::unreachable:
            return false;
    }
    return false;
}

bool differs_in_more_than_progress(const agent::ObservedPlacement& a, const agent::ObservedPlacement& b) {
    agent::ObservedPlacement left = a;
    left.progress = b.progress;
    return !(left == b);
}

}  // namespace

void JobService::accepted(const TargetId& target, const std::string& digest, const std::string& problem) {
    const NodeId node{target.value};
    if (digest.empty() && problem.empty()) {
        targets_[node].accepted.clear();
        targets_[node].is_known = false;
        return;
    }
    ++counters_.reports;
    Step step;
    Target& known = targets_[node];
    const bool is_news = known.problem != problem;
    const bool was_unknown = !std::exchange(known.is_known, true);
    known.problem = problem;
    if (problem.empty()) {
        problems_.erase(node);
    } else {
        problems_[node] = problem;
        if (is_news)
            log_.warning("a node did not take its plan", {{"node", node.value}, {"problem", problem}});
    }
    if (problem.empty()) known.accepted = digest;
    if (!may_write_by_itself()) return;
    // A copy may have waited for this node to send its connections elsewhere, or for its copy to be known.
    for (const Placement* placement : state_.on_node(node)) {
        if (is_news || drain_due_ || (was_unknown && is_moving(placement->app)))
            step.touched.insert(placement->app);
    }
    confirm(node, step);
    refresh_touched(step);
    static_cast<void>(commit(std::move(step)));
}

void JobService::confirm(const NodeId& node, Step& step) {
    const Target& known = targets_[node];
    if (!known.offered || known.offered->digest != known.accepted || !known.problem.empty()) return;
    for (Placement* placement : state_.on_node(node)) {
        if (!placement->removing || known.offered->set.contains(placement->id)) continue;
        placement->accepted_without = true;
        remove_if_gone(*placement, step);
    }
}

/// The states of the applications that the step is about.
void JobService::refresh_touched(Step& step) {
    const std::set<AppId> affected = step.touched;
    for (const AppId& id : affected) {
        if (App* app = state_.find(id)) settle_moves(*app, step);
        if (App* app = state_.find(id)) refresh(*app, step);
    }
}

void JobService::observed(
    const TargetId& target,
    bool full,
    const std::vector<agent::ObservedPlacement>& upsert,
    const std::vector<PlacementId>& removed
) {
    ++counters_.reports;
    const NodeId node{target.value};
    Target& known = targets_[node];
    std::set<PlacementId> changed(removed.begin(), removed.end());
    if (full) {
        for (const auto& [id, placement] : known.observed) changed.insert(id);
        for (const Placement* placement : state_.on_node(node)) changed.insert(placement->id);
        known.observed.clear();
        known.is_complete = true;
    }
    for (const PlacementId& id : removed) known.observed.erase(id);
    for (const agent::ObservedPlacement& one : upsert) {
        known.observed.insert_or_assign(one.placement, one);
        changed.insert(one.placement);
    }
    // While memory is loaded the report is kept beside it and taken over afterwards.
    if (!may_write_by_itself()) {
        must_resync_ = true;
        return;
    }
    Step step;
    for (const PlacementId& id : changed) {
        if (!full && std::find(removed.begin(), removed.end(), id) != removed.end() &&
            !known.observed.contains(id)) {
            // Said to be gone: holds also before the first full report.
            Placement* placement = state_.find(id);
            if (placement != nullptr && placement->node == node && placement->observed) {
                placement->observed.reset();
                step.placements.insert(id);
            }
        }
        take_over(node, id, step);
    }
    refresh_touched(step);
    static_cast<void>(commit(std::move(step)));
}

/// Brings the row of one placement in line with what its target reported.
void JobService::take_over(const NodeId& node, const PlacementId& id, Step& step) {
    Placement* placement = state_.find(id);
    if (placement == nullptr || placement->node != node) return;
    App* app = state_.find(placement->app);
    if (app == nullptr) return;
    const Target& known = targets_[node];
    const auto report = known.observed.find(id);
    step.touched.insert(app->id);
    if (report == known.observed.end()) {
        if (placement->observed && known.is_complete) {
            placement->observed.reset();
            placement->since = ports_.runtime.wall();
            step.placements.insert(id);
        }
        remove_if_gone(*placement, step);
        return;
    }
    const auto topology = ports_.topology.current();
    const Node* place = topology->find(node);
    const auto view = [&] { return view_of(*placement, app->desired, place, known.problem); };
    const ReplicaView before = view();
    const bool had_observed = placement->observed.has_value();
    const bool is_new = !had_observed || differs_in_more_than_progress(*placement->observed, report->second);
    placement->observed = report->second;
    if (!is_new) return;
    const ReplicaView after = view();
    step.placements.insert(id);
    if (after.state != before.state) placement->since = ports_.runtime.wall();
    if (after.state != before.state || after.reason != before.reason) {
        step.observed.push_back(
            {app->id,
             app->name,
             placement->component,
             id,
             placement->node_name,
             placement->cluster,
             report->second.state,
             report->second.services}
        );
    }
    const bool tell = after.state != before.state || after.reason_code != before.reason_code;
    if (tell && is_worth_an_event(after.state)) {
        step.events.push_back(replica_event(
            *app,
            "component." + std::string(to_string(after.state)),
            placement->component,
            placement->replica,
            placement->node_name,
            observed_message(*placement, after, ports_.runtime.wall())
        ));
    }
}

/// After memory was loaded again: what targets said since then, once more.
void JobService::resync() {
    Step step;
    std::vector<NodeId> nodes;
    for (const auto& [node, target] : targets_) nodes.push_back(node);
    for (const NodeId& node : nodes) {
        std::vector<PlacementId> ids;
        for (const Placement* placement : state_.on_node(node)) ids.push_back(placement->id);
        for (const PlacementId& id : ids) take_over(node, id, step);
        confirm(node, step);
    }
    refresh_touched(step);
    static_cast<void>(commit(std::move(step)));
}

}  // namespace icos::job_manager
