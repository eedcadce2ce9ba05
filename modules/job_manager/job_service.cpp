// SPDX-License-Identifier: Apache-2.0
#include "job_service.hpp"

#include "connections.hpp"
#include "desired.hpp"
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "rows.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::job_manager {

/// Result of one commit, for whoever waits; shared because the waiter may go first.
struct JobService::Outcome {
    explicit Outcome(Runtime& runtime) : done(runtime) {}
    std::optional<Result<void>> result{};
    Signal done;
};

/// What the store holds, parsed.
struct JobService::Loaded {
    std::vector<App> apps{};
    std::vector<Placement> placements{};
    Credentials credentials{};
    std::string digest_key{};
};

JobService::JobService(Ports ports, Settings settings)
    : ports_(ports),
      settings_(settings),
      turnstile_(ports.runtime),
      reload_backoff_(Backoff::Settings{}),
      wake_(ports.runtime),
      tasks_(ports.runtime) {
    on_dropped_ = ports_.store.on_dropped([this] { dropped(); });
}

JobService::~JobService() = default;

Task<Result<void>> JobService::start() {
    auto loaded = co_await load();
    if (loaded.has_error()) co_return loaded.error();
    adopt_loaded(std::move(*loaded));
    is_started_ = true;
    // Executors may have reported while this loaded.
    must_resync_ = true;
    offer_all();
    tasks_.spawn("job_manager.reconcile", reconcile());
    co_return Result<void>{};
}

Task<> JobService::stop(Duration deadline) {
    is_started_ = false;
    on_dropped_.reset();
    watchers_.end();
    co_await tasks_.stop(deadline);
}

Health JobService::health() const {
    if (!reload_problem_.empty()) return {false, reload_problem_};
    return {};
}

Result<void> JobService::check_writable() const {
    if (is_reloading_) {
        return Error{
            store_errc::busy,
            "memory is being loaded again after changes could not be stored",
            "try again in a moment"
        };
    }
    return {};
}

TargetPlan JobService::plan_of(const NodeId& node) const {
    TargetPlan plan;
    const auto topology = ports_.topology.current();
    for (const Placement* placement : state_.on_node(node)) {
        if (placement->removing) continue;
        const App* app = state_.find(placement->app);
        if (app == nullptr) continue;
        agent::DesiredPlacement wanted = desired_placement(*app, *placement);
        wanted.connections = connections_of(state_, *app, *placement, *topology);
        wanted.settings_digest = agent::settings_digest(wanted.connections);
        add_credentials(*app, wanted);
        plan.set.emplace(placement->id, std::move(wanted));
    }
    plan.digest = agent::desired_digest(plan.set);
    return plan;
}

std::vector<std::pair<NodeId, TargetPlan>> JobService::plans_after(const Step& step) {
    std::vector<std::pair<NodeId, TargetPlan>> plans;
    const auto topology = ports_.topology.current();
    const auto add = [&](const NodeId& node, bool only_if_new) {
        if (topology->find(node) == nullptr) return;
        TargetPlan plan = plan_of(node);
        std::string& planned = targets_[node].planned;
        if (only_if_new && planned == plan.digest) return;
        planned = plan.digest;
        plans.emplace_back(node, std::move(plan));
    };
    for (const NodeId& node : step.targets) add(node, false);
    std::set<NodeId> consumers;
    for (const AppId& id : step.touched) {
        const App* app = state_.find(id);
        if (app == nullptr || app->application()->edges.empty()) continue;
        for (const Placement* placement : state_.of_app(id)) consumers.insert(placement->node);
    }
    for (const NodeId& node : consumers) {
        if (!step.targets.contains(node)) add(node, true);
    }
    return plans;
}

std::shared_ptr<JobService::Outcome> JobService::commit(Step step) {
    auto outcome = std::make_shared<Outcome>(ports_.runtime);
    // Made from memory as this step leaves it, offered once the step is durable.
    std::vector<std::pair<NodeId, TargetPlan>> plans = plans_after(step);
    if (step.is_empty() && plans.empty()) {
        outcome->result.emplace();
        for (const AppId& id : step.touched) tell_watchers(id);
        return outcome;
    }
    ChangeSet set;
    for (const AppId& id : step.apps) {
        const App* app = state_.find(id);
        set.changes.push_back(app == nullptr ? Change{kAppKind, id.value, std::nullopt} : to_row(*app));
        step.touched.insert(id);
    }
    for (const PlacementId& id : step.placements) {
        const Placement* placement = state_.find(id);
        set.changes.push_back(
            placement == nullptr ? Change{kPlacementKind, id.value, std::nullopt} : to_row(*placement)
        );
    }
    set.changes.insert(set.changes.end(), step.revisions.begin(), step.revisions.end());
    set.changes.insert(set.changes.end(), step.rows.begin(), step.rows.end());
    set.events = step.events;
    auto queued = ports_.store.commit(std::move(set));
    tasks_.spawn("job_manager.commit", finish(std::move(queued), std::move(step), std::move(plans), outcome));
    return outcome;
}

Task<> JobService::finish(
    Task<Result<std::uint64_t>> queued,
    Step step,
    std::vector<std::pair<NodeId, TargetPlan>> plans,
    std::shared_ptr<Outcome> outcome
) {
    const Result<std::uint64_t> version = co_await std::move(queued);
    if (version.has_error()) {
        outcome->result.emplace(version.error());
        outcome->done.notify();
        co_return;
    }
    reload_backoff_.reset();
    for (auto& [node, plan] : plans) {
        plan.version = *version;
        offer(node, std::move(plan));
    }
    for (auto& message : step.accepted) ports_.bus.publish(std::move(message));
    for (auto& message : step.observed) ports_.bus.publish(std::move(message));
    for (const AppId& id : step.touched) tell_watchers(id);
    for (auto& message : step.deleted) {
        const boost::json::object data{
            {"id", message.app.value}, {"name", message.name}, {"project", message.project}
        };
        watchers_.deleted(message.app, boost::json::serialize(data));
        ports_.bus.publish(std::move(message));
    }
    outcome->result.emplace();
    outcome->done.notify();
}

Task<Result<void>> JobService::durable(std::shared_ptr<Outcome> outcome) {
    while (!outcome->result) co_await outcome->done.wait();
    co_return *outcome->result;
}

void JobService::tell_watchers(const AppId& id) {
    const App* app = state_.find(id);
    if (app == nullptr || !watchers_.has(id)) return;
    watchers_.changed(id, [this, app] { return boost::json::serialize(show(*app, Detail::with_services)); });
}

void JobService::dropped() {
    if (!is_started_) return;
    ++counters_.dropped;
    if (is_reloading_) {
        reload_again_ = true;
        return;
    }
    is_reloading_ = true;
    ++holds_;
    tasks_.spawn("job_manager.reload", reload());
}

Task<> JobService::reload() {
    for (;;) {
        reload_again_ = false;
        auto loaded = co_await load();
        if (reload_again_) continue;
        if (loaded.has_value()) {
            adopt_loaded(std::move(*loaded));
            break;
        }
        reload_problem_ = describe(loaded.error());
        log_.error("memory cannot be loaded again", loaded.error());
        co_await sleep_for(ports_.runtime, reload_backoff_.next(ports_.runtime));
    }
    reload_problem_.clear();
    is_reloading_ = false;
    offer_all();
    // What targets reported meanwhile is written after a pause: the disk may still be full.
    co_await sleep_for(ports_.runtime, reload_backoff_.next(ports_.runtime));
    --holds_;
    must_resync_ = true;
    topology_moved_ = true;
    wake();
}

Task<Result<JobService::Loaded>> JobService::load() {
    const auto app_rows = co_await ports_.store.load(kAppKind);
    if (app_rows.has_error()) co_return app_rows.error();
    const auto placement_rows = co_await ports_.store.load(kPlacementKind);
    if (placement_rows.has_error()) co_return placement_rows.error();
    auto revision_rows = co_await ports_.store.load(kRevisionKind);
    if (revision_rows.has_error()) co_return revision_rows.error();
    const auto credential_rows = co_await ports_.store.load(kCredentialKind);
    if (credential_rows.has_error()) co_return credential_rows.error();
    const auto key_rows = co_await ports_.store.load(kDigestKeyKind);
    if (key_rows.has_error()) co_return key_rows.error();

    // Decoding and parsing is pure: off the loop.
    auto read = [apps = *app_rows,
                 placements = *placement_rows,
                 revisions = std::move(*revision_rows),
                 credentials = *credential_rows,
                 keys = *key_rows]() -> Result<Loaded> {
        Loaded loaded;
        for (const Row& row : credentials) {
            auto credential = read_credential(row);
            if (credential.has_error()) return credential.error();
            auto key = std::pair(credential->project, credential->name);
            loaded.credentials.emplace(std::move(key), std::move(*credential));
        }
        for (const Row& row : keys) {
            auto key = read_digest_key(row);
            if (key.has_error()) return key.error();
            loaded.digest_key = std::move(*key);
        }
        std::map<AppId, std::set<std::uint64_t>> used;
        for (const Row& row : placements) {
            auto placement = read_placement(row);
            if (placement.has_error()) return placement.error();
            used[placement->app].insert(placement->generation);
            loaded.placements.push_back(std::move(*placement));
        }
        std::map<AppId, std::map<std::uint64_t, StoredRevision>> stored;
        for (const Row& row : revisions) {
            auto revision = read_revision(row);
            if (revision.has_error()) return revision.error();
            auto& own = stored[revision->app];
            own.emplace(revision->generation, std::move(*revision));
        }
        for (const Row& row : apps) {
            auto app = read_app(row);
            if (app.has_error()) return app.error();
            auto& own = stored[app->id];
            auto needed = used[app->id];
            needed.insert(app->generation);
            for (const std::uint64_t generation : needed) {
                auto parsed = descriptor::parse(own[generation].text);
                if (!parsed.application) {
                    return Error{
                        store_errc::corrupt,
                        "the stored descriptor of " + app->name + ", generation " +
                            std::to_string(generation) + ", is not valid any more",
                        "restore the data directory from a backup, or run the version that stored it"
                    };
                }
                app->revisions.emplace(
                    generation,
                    std::make_shared<const descriptor::Application>(std::move(*parsed.application))
                );
            }
            app->text = own[app->generation].text;
            for (auto& [generation, revision] : own) {
                app->stored_generations.emplace(generation, std::move(revision.info));
            }
            loaded.apps.push_back(std::move(*app));
        }
        return loaded;
    };
    auto loaded = co_await offload(ports_.runtime, Pool::compute, std::move(read));
    co_return std::move(loaded);
}

void JobService::adopt_loaded(Loaded loaded) {
    state_.clear();
    credentials_ = std::move(loaded.credentials);
    digest_key_ = std::move(loaded.digest_key);
    for (App& app : loaded.apps) state_.add(std::move(app));
    for (Placement& placement : loaded.placements) {
        if (state_.find(placement.app) == nullptr) {
            log_.warning(
                "a placement without an application was skipped", {{"placement", placement.id.value}}
            );
            continue;
        }
        state_.add(std::move(placement));
    }
    for (auto& [id, app] : state_.apps()) {
        std::uint32_t current = 0;
        for (const Placement* placement : state_.of_app(id)) {
            if (!placement->removing && !placement->retiring && placement->generation == app.generation)
                ++current;
        }
        app.needs_planning = app.desired == Desired::running && current != app.replicas;
    }
    claims_changed();
    wake();
}

void JobService::offer_all() {
    std::set<NodeId> nodes = state_.nodes();
    const auto topology = ports_.topology.current();
    for (const Node& node : topology->nodes) nodes.insert(node.id);
    for (const NodeId& node : nodes) {
        if (topology->find(node) == nullptr) continue;
        TargetPlan plan = plan_of(node);
        plan.version = ports_.store.last_version();
        targets_[node].planned = plan.digest;
        offer(node, std::move(plan));
    }
}

void JobService::offer(const NodeId& node, TargetPlan plan) {
    auto shared = std::make_shared<const TargetPlan>(std::move(plan));
    Target& target = targets_[node];
    target.offered = shared;
    // A target that holds this very plan already need not say so again.
    const bool is_held = target.accepted == shared->digest && target.problem.empty();
    ports_.executor.offer(TargetId{node.value}, std::move(shared));
    if (!is_held || !may_write_by_itself()) return;
    Step step;
    confirm(node, step);
    static_cast<void>(commit(std::move(step)));
}

Result<const App*> JobService::find(std::string_view project, std::string_view name) const {
    const App* app = state_.find(project, name);
    if (app != nullptr) return app;
    std::string where = project == "default" ? "" : " in project " + std::string(project);
    return Error{
        errc::not_found,
        "there is no application named " + std::string(name) + where,
        "icos get apps lists them"
    };
}

boost::json::object JobService::show(const App& app, Detail detail) const {
    const auto topology = ports_.topology.current();
    return to_json(Snapshot{state_, *topology, problems_}, app, detail);
}

std::map<NodeId, ClaimSum> JobService::current() const {
    if (claim_sums_epoch_ != epoch_) {
        claim_sums_.clear();
        for (const auto& [id, placement] : state_.placements()) {
            ClaimSum& sum = claim_sums_[placement.node];
            sum.cpu_milli += placement.claim.cpu_milli;
            sum.memory_bytes += placement.claim.memory_bytes;
            ++sum.placements;
        }
        claim_sums_epoch_ = epoch_;
    }
    return claim_sums_;
}

std::string JobService::metrics() const {
    std::string text;
    const auto write =
        [&text](std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
            const std::string full = "icos_job_manager_" + std::string(name);
            text += "# HELP " + full + " " + std::string(help) + "\n# TYPE " + full + " " +
                    std::string(type) + "\n" + full + " " + std::to_string(value) + "\n";
        };
    std::map<std::string_view, std::uint64_t> by_state;
    for (const AppState s :
         {AppState::pending,
          AppState::deploying,
          AppState::running,
          AppState::degraded,
          AppState::failed,
          AppState::stopping,
          AppState::stopped,
          AppState::deleting})
        by_state[to_string(s)] = 0;
    std::uint64_t waiting = 0;
    for (const auto& [id, app] : state_.apps()) {
        ++by_state[to_string(app.state)];
        waiting += app.waiting.size();
    }
    text += "# HELP icos_job_manager_apps Applications by state.\n# TYPE icos_job_manager_apps gauge\n";
    for (const auto& [word, count] : by_state) {
        text += "icos_job_manager_apps{state=\"" + std::string(word) + "\"} " + std::to_string(count) + "\n";
    }
    write("placements", "gauge", "Placements, those being removed included.", state_.placements().size());
    write("replicas_waiting", "gauge", "Replicas without a node.", waiting);
    write(
        "mass_loss",
        "gauge",
        "1 while many nodes are lost at once and moves are held.",
        losses_.is_mass_loss()
    );
    write("turnstile", "gauge", "Changes that wait to be planned.", turnstile_.size());
    write("applied_total", "counter", "Generations accepted.", counters_.applied);
    write("unchanged_total", "counter", "Applies that changed nothing.", counters_.unchanged);
    write("refused_total", "counter", "Descriptors refused because of errors.", counters_.refused);
    write("planned_total", "counter", "Applications planned.", counters_.planned);
    write("replanned_total", "counter", "Plans made again because memory had moved on.", counters_.replanned);
    write("reports_total", "counter", "Reports of targets.", counters_.reports);
    write(
        "reloads_total", "counter", "Times memory was loaded again after a commit failed.", counters_.dropped
    );
    return text;
}

}  // namespace icos::job_manager
