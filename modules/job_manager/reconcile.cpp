// SPDX-License-Identifier: Apache-2.0
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"

#include <algorithm>

namespace icos::job_manager {
namespace {

/// What is due is looked at no more often than this.
constexpr Duration kLeastPause{500};

}  // namespace

void JobService::wake() {
    is_dirty_ = true;
    wake_.notify();
}

void JobService::topology_changed() {
    topology_moved_ = true;
    wake();
}

bool JobService::anything_waits() const {
    return std::any_of(
               state_.apps().begin(),
               state_.apps().end(),
               [](const auto& entry) {
                   return !entry.second.waiting.empty() && entry.second.desired == Desired::running;
               }
           ) ||
           losses_.is_mass_loss();
}

Task<> JobService::reconcile() {
    for (;;) {
        while (!is_dirty_) {
            const BootTime now = ports_.runtime.boot();
            auto due = losses_.look_again();
            if (drain_due_ && (!due || *drain_due_ < *due)) due = drain_due_;
            if (due || anything_waits()) {
                // Reasons name ages and free amounts: they are made anew from time to time.
                Duration pause = settings_.pending_refresh;
                if (due)
                    pause = std::min(pause, std::max(kLeastPause, std::chrono::ceil<Duration>(*due - now)));
                const bool notified = co_await wake_.wait_for(pause);
                if (!notified) {
                    topology_moved_ = topology_moved_ || due || losses_.is_mass_loss();
                    break;
                }
            } else {
                co_await wake_.wait();
            }
        }
        co_await sleep_for(ports_.runtime, settings_.debounce);
        is_dirty_ = false;
        // After a failed write it pauses with everything else: reload() wakes it when that is over.
        if (!may_write_by_itself()) continue;
        if (must_resync_) {
            must_resync_ = false;
            resync();
        }
        if (topology_moved_) {
            topology_moved_ = false;
            follow_topology();
        }
        std::vector<std::pair<WallTime, AppId>> waiting;
        for (const auto& [id, app] : state_.apps()) {
            if (app.needs_planning && app.desired == Desired::running)
                waiting.emplace_back(app.created_at, id);
        }
        // The oldest first: a newcomer does not overtake what already waits.
        std::sort(waiting.begin(), waiting.end());
        for (const auto& [created, id] : waiting) co_await place_waiting(id);
    }
}

Task<> JobService::place_waiting(AppId id) {
    Turnstile::Turn turn(turnstile_);
    co_await turn.wait();
    const App* before = state_.find(id);
    if (before == nullptr || before->desired != Desired::running || !may_write_by_itself()) co_return;
    const auto wanted = before->application();
    const std::string etag = etag_of(*before);
    const std::string name = before->name;
    auto planned = co_await place(id, name, wanted, etag, Urgency::background);
    App* app = state_.find(id);
    // What changed meanwhile woke the loop again.
    if (planned.has_error() || app == nullptr || app->desired != Desired::running || etag_of(*app) != etag)
        co_return;
    Step step;
    adopt(*app, planned->first, *planned->second, step);
    static_cast<void>(commit(std::move(step)));
}

void JobService::follow_topology() {
    const auto topology = ports_.topology.current();
    Step step;
    for (const NodeId& node : state_.nodes()) {
        if (topology->find(node) != nullptr) continue;
        // The target left the fleet: what was there is no longer ours, and its replicas need a new home.
        for (Placement* placement : state_.on_node(node)) {
            App* app = state_.find(placement->app);
            if (app != nullptr) app->needs_planning = true;
            if (placement->removing) {
                remove_if_gone(*placement, step);
            } else {
                start_removing(*placement, step);
            }
        }
    }
    std::erase_if(targets_, [&](const auto& entry) { return topology->find(entry.first) == nullptr; });
    std::erase_if(problems_, [&](const auto& entry) { return topology->find(entry.first) == nullptr; });
    for (const Node& node : topology->nodes) {
        // An empty plan is one too: it clears what a node may have kept from before.
        const auto known = targets_.find(node.id);
        if (known != targets_.end() && known->second.offered) continue;
        TargetPlan plan = plan_of(node.id);
        plan.version = ports_.store.last_version();
        targets_[node.id].planned = plan.digest;
        offer(node.id, std::move(plan));
    }
    look_at_losses(*topology, step);
    settle_moves(step);
    std::vector<AppId> ids;
    for (const auto& [id, app] : state_.apps()) ids.push_back(id);
    for (const AppId& id : ids) {
        App* app = state_.find(id);
        if (app == nullptr) continue;
        if (!app->waiting.empty()) app->needs_planning = true;
        refresh(*app, step);
    }
    static_cast<void>(commit(std::move(step)));
}

}  // namespace icos::job_manager
