// SPDX-License-Identifier: Apache-2.0
#include "desired.hpp"
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"
#include "rows.hpp"

#include <algorithm>

namespace icos::job_manager {
namespace {

constexpr int kAttemptsOffLoop = 3;

bool same_claim(const Claim& a, const Claim& b) {
    return a.cpu_milli == b.cpu_milli && a.memory_bytes == b.memory_bytes && a.devices == b.devices &&
           a.host_ports == b.host_ports;
}

}  // namespace

Task<Result<JobService::Planned>> JobService::place(
    AppId id,
    std::string name,
    std::shared_ptr<const descriptor::Application> wanted,
    std::optional<std::string> expected,
    Urgency urgency
) {
    for (int attempt = 0;; ++attempt) {
        if (const auto writable = check_writable(); writable.has_error()) co_return writable.error();
        const App* app = id.empty() ? nullptr : state_.find(id);
        if (!id.empty() && (app == nullptr || (expected && etag_of(*app) != *expected))) {
            co_return Error{
                errc::changed, name + " was changed meanwhile", "get it again and repeat the change"
            };
        }
        auto topology = ports_.topology.current();
        PlanInput input = plan_input(state_, app, name, wanted, leaving(*topology), ports_.runtime.wall());
        ++counters_.planned;
        // On the loop nothing moves meanwhile. That is worth it when memory keeps moving, and for what takes
        // less than the way to another thread: applies are planned one at a time, so that way would bound
        // them.
        const bool on_loop = urgency == Urgency::asked && is_quick(*topology, input);
        if (on_loop || attempt >= kAttemptsOffLoop) {
            PlaceResult result = plan(ports_.matchmaker, *topology, std::move(input));
            co_return Planned{std::move(result), std::move(topology)};
        }
        const std::uint64_t epoch = epoch_;
        const Matchmaker* matchmaker = &ports_.matchmaker;
        auto work = [matchmaker, topology, input = std::move(input)] {
            return plan(*matchmaker, *topology, input);
        };
        PlaceResult result = co_await offload(ports_.runtime, Pool::compute, std::move(work));
        if (epoch == epoch_ && topology == ports_.topology.current() && !is_reloading_) {
            co_return Planned{std::move(result), std::move(topology)};
        }
        ++counters_.replanned;
    }
}

void JobService::claims_changed() {
    ++epoch_;
    // What waits may fit now.
    wake();
}

std::set<std::uint64_t> JobService::used_generations(const App& app) const {
    std::set<std::uint64_t> used{app.generation};
    for (const Placement* placement : state_.of_app(app.id)) used.insert(placement->generation);
    return used;
}

void JobService::adopt(App& app, const PlaceResult& result, const Topology& topology, Step& step) {
    std::set<ReplicaKey> named;
    std::map<ReplicaKey, ReplicaDecision> before;
    before.swap(app.waiting);
    for (const ReplicaDecision& decision : result.decisions) {
        const ReplicaKey key{decision.component, decision.replica};
        named.insert(key);
        if (decision.node) {
            put(app, decision, topology, step);
            continue;
        }
        const auto known = before.find(key);
        const bool is_news = known == before.end() || known->second.reason != decision.reason;
        app.waiting.emplace(key, decision);
        if (is_news && app.desired == Desired::running) wait_for_node(app, decision, step);
    }
    // What the generation no longer has.
    for (Placement* placement : state_.of_app(app.id)) {
        const bool stays = !placement->removing && !placement->retiring;
        if (stays && !named.contains({placement->component, placement->replica})) {
            start_removing(*placement, step);
        }
    }
    app.needs_planning = !app.waiting.empty() || has_blocked(app, result, topology);
    const auto replicas = static_cast<std::uint32_t>(result.decisions.size());
    if (app.replicas != replicas) step.apps.insert(app.id);
    app.replicas = replicas;
    step.touched.insert(app.id);
    forget_old_revisions(app, step);
    refresh(app, step);
}

void JobService::put(App& app, const ReplicaDecision& decision, const Topology& topology, Step& step) {
    const auto* component = find_component(*app.application(), decision.component);
    const Node* node = topology.find(*decision.node);
    if (component == nullptr || node == nullptr) return;
    std::string digest = content_digest(app, *component, decision.engine, step);
    Placement* home = state_.home(app.id, decision.component, decision.replica);
    // Content with secrets that an earlier release hashed without a key goes on under that digest: a better
    // digest is no reason to restart it.
    if (home != nullptr && home->digest != digest &&
        home->digest == component_digest(app, *component, decision.engine, {}))
        digest = home->digest;
    if (home != nullptr && home->node == node->id) {
        const bool same_content = home->digest == digest && home->engine == decision.engine;
        if (same_content && home->generation == app.generation && same_claim(home->claim, decision.claim))
            return;
        if (!same_content) home->wanted_at = ports_.runtime.wall();
        home->generation = app.generation;
        home->digest = digest;
        home->engine = decision.engine;
        home->label_value = decision.label_value;
        if (!same_claim(home->claim, decision.claim)) claims_changed();
        home->claim = decision.claim;
        step.placements.insert(home->id);
        step.targets.insert(home->node);
        return;
    }
    std::string from;
    // Stopped applications get no new homes; their replicas are placed when they start.
    if (home == nullptr && app.desired != Desired::running) return;
    if (loss_rule(*component) == descriptor::OnNodeLoss::exclusive) {
        // At most one copy: the old one is gone before the new one has a node.
        if (home != nullptr) {
            from = home->node_name + " -> " + node->name + ", " + why_moved(*home, app, topology);
            start_removing(*home, step);
            home = nullptr;
        }
        if (is_blocked(app, decision.component, decision.replica, topology)) return;
    }
    Placement placement;
    placement.id = PlacementId{make_uuid(ports_.runtime)};
    placement.app = app.id;
    placement.component = decision.component;
    placement.replica = decision.replica;
    placement.node = node->id;
    placement.node_name = node->name;
    placement.cluster = node->cluster;
    placement.engine = decision.engine;
    placement.orchestrator = node->orchestrator;
    placement.label_value = decision.label_value;
    placement.generation = app.generation;
    placement.digest = digest;
    placement.claim = decision.claim;
    placement.wanted_at = ports_.runtime.wall();
    placement.since = placement.wanted_at;
    if (home != nullptr) {
        from = home->node_name + " -> " + node->name + ", " + why_moved(*home, app, topology);
        retire(*home, step);
    }
    if (!from.empty()) {
        step.events.push_back(
            replica_event(app, "placement.moved", decision.component, decision.replica, node->name, from)
        );
    } else {
        step.events.push_back(replica_event(
            app,
            "placement.decided",
            decision.component,
            decision.replica,
            node->name,
            node->name + ", " + decision.reason
        ));
    }
    step.placements.insert(placement.id);
    step.targets.insert(placement.node);
    state_.add(std::move(placement));
    claims_changed();
}

void JobService::wait_for_node(App& app, const ReplicaDecision& decision, Step& step) {
    std::string message = "pending: " + decision.reason;
    const Placement* home = state_.home(app.id, decision.component, decision.replica);
    if (home != nullptr && home->generation == app.generation) {
        message = "stays on " + home->node_name + ": " + decision.reason;
    } else if (home != nullptr) {
        message = "generation " + std::to_string(app.generation) + " waits: " + decision.reason;
    }
    step.events.push_back(
        replica_event(app, "placement.pending", decision.component, decision.replica, {}, std::move(message))
    );
}

void JobService::start_removing(Placement& placement, Step& step) {
    if (placement.removing) return;
    placement.removing = true;
    placement.accepted_without = false;
    placement.since = ports_.runtime.wall();
    step.placements.insert(placement.id);
    step.targets.insert(placement.node);
    step.touched.insert(placement.app);
    claims_changed();
    // A target that is no longer in the fleet has nothing left to confirm.
    remove_if_gone(placement, step);
}

bool JobService::remove_if_gone(Placement& placement, Step& step) {
    if (!placement.removing) return false;
    const bool has_target = ports_.topology.current()->find(placement.node) != nullptr;
    if (has_target && !(placement.accepted_without && !placement.observed)) return false;
    App* app = state_.find(placement.app);
    if (app != nullptr) {
        const std::string message =
            has_target ? placement.node_name : placement.node_name + ", which left the fleet";
        step.events.push_back(replica_event(
            *app, "component.removed", placement.component, placement.replica, placement.node_name, message
        ));
        step.touched.insert(app->id);
    }
    const AppId id = placement.app;
    step.placements.insert(placement.id);
    state_.remove(PlacementId(placement.id));
    claims_changed();
    wake();
    app = state_.find(id);
    if (app != nullptr) forget_if_gone(*app, step);
    return true;
}

void JobService::forget_if_gone(App& app, Step& step) {
    if (app.desired != Desired::deleted || !state_.of_app(app.id).empty()) return;
    step.events.push_back(app_event(app, "deleted", "gone from every node"));
    step.deleted.push_back({app.id, app.project, app.name});
    step.apps.insert(app.id);
    for (const auto& [generation, info] : app.stored_generations) {
        step.revisions.push_back(revision_removal(app.id, generation));
    }
    state_.remove(AppId(app.id));
}

void JobService::forget_old_revisions(App& app, Step& step) {
    const auto used = used_generations(app);
    std::erase_if(app.revisions, [&](const auto& entry) { return !used.contains(entry.first); });
    const std::uint64_t keep = settings_.keep_generations;
    const std::uint64_t oldest = app.generation > keep ? app.generation - keep + 1 : 1;
    std::erase_if(app.stored_generations, [&](const auto& entry) {
        const std::uint64_t generation = entry.first;
        if (generation >= oldest || used.contains(generation)) return false;
        step.revisions.push_back(revision_removal(app.id, generation));
        return true;
    });
}

void JobService::refresh(App& app, Step& step) {
    const auto topology = ports_.topology.current();
    const auto replicas = replicas_of(state_, app, *topology, problems_);
    const Rollup rollup = roll_up(app.desired, replicas);
    step.touched.insert(app.id);
    // Loaded and not planned yet: what waits is not known.
    const bool is_unplanned = app.needs_planning && app.waiting.empty() && app.desired == Desired::running;
    if (rollup.state == app.state || is_unplanned) return;
    app.state = rollup.state;
    app.since = ports_.runtime.wall();
    step.apps.insert(app.id);
    std::string message = std::to_string(rollup.ready) + "/" + std::to_string(rollup.total) + " ready";
    if (!rollup.reason.empty()) message = rollup.reason;
    switch (rollup.state) {
        case AppState::running:
        case AppState::degraded:
        case AppState::failed:
        case AppState::pending:
            step.events.push_back(app_event(app, to_string(rollup.state), std::move(message)));
            break;
        case AppState::stopped:
            step.events.push_back(app_event(app, "stopped", counted(rollup.total, "replica") + " stopped"));
            break;
        // On the way somewhere: what started it has an event of its own.
        case AppState::deploying:
        case AppState::stopping:
        case AppState::deleting:
            break;
    }
}

}  // namespace icos::job_manager
