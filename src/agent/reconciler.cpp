// SPDX-License-Identifier: Apache-2.0
#include "reconciler.hpp"

#include "icos/core/log.hpp"

#include <algorithm>
#include <set>

namespace icos::agent {
namespace {

const Log kLog("agent.reconciler");
constexpr Duration kDependencyRetry{10'000};
/// For an agent that was started again to reach a controller, before what is exclusive is stopped.
constexpr Duration kRestartGrace{4'000};
/// How often a held update looks whether its moment has come.
constexpr Duration kMomentCheck{30'000};
const Backoff::Settings kEngineRetry{Duration(500), Duration(15'000)};

bool is_up(const ContainerState& container) {
    return container.state == "running" || container.state == "restarting" || container.state == "paused";
}

bool has_exited(const ContainerState& container) {
    return container.state == "exited" || container.state == "dead";
}

}  // namespace

Reconciler::Reconciler(
    Runtime& runtime,
    Engine& engine,
    Relay& relay,
    NodeRecords& records,
    SecretStore& secrets,
    Settings settings
)
    : runtime_(runtime),
      engine_(engine),
      records_(records),
      settings_(std::move(settings)),
      lease_(runtime.boot() + kRestartGrace),
      images_(std::make_shared<ImageStore>(runtime, engine, records)),
      engine_problem_("the container engine was not asked yet"),
      tasks_(runtime) {
    has_rebooted_ = !records_.boot_id().empty() && records_.boot_id() != settings_.boot_id;
    connections_ = std::make_shared<Connections>(
        engine,
        records,
        relay,
        [this](const PlacementId& placement, const std::string& service) {
            return local_addresses(placement, service);
        }
    );
    rollout_ = std::make_unique<Rollout>(Rollout::Parts{
        runtime,
        engine,
        records,
        secrets,
        images_,
        connections_,
        lease_,
        settings_.target,
        [this](Unit& unit) { publish(unit); },
        [this] { return engine_info_ ? engine_info_->architecture : std::string(); },
        [this](const AppId& app, const PlacementId& besides) {
            return std::any_of(units_.begin(), units_.end(), [&](const auto& entry) {
                return entry.first != besides && entry.second->wanted && entry.second->wanted->app_id == app;
            });
        },
        settings_.time ? settings_.time : [this] { return std::optional<WallTime>(runtime_.wall()); },
    });
}

void Reconciler::start() {
    // Removals that an earlier process began: their networks and volumes have no container to be found by.
    for (const std::string& key : records_.removing()) {
        const auto slash = key.find('/');
        const PlacementId id{key.substr(0, slash)};
        if (id.empty() || units_.contains(id)) continue;
        const UnitPtr unit = unit_for(id);
        if (slash != std::string::npos) unit->app_id = AppId{key.substr(slash + 1)};
        publish(*unit);
    }
    tasks_.spawn("agent.engine", watch_engine(shared_from_this()));
    tasks_.spawn("agent.look", look_regularly(shared_from_this()));
    tasks_.spawn("agent.lease", keep_lease(shared_from_this()));
}

void Reconciler::cancel() {
    tasks_.cancel();
    images_->cancel();
}

Task<> Reconciler::stop(Duration deadline) {
    images_->cancel();
    if (!co_await tasks_.stop(deadline)) kLog.warning("work on the engine did not end in time");
}

Reconciler::UnitPtr Reconciler::unit_for(const PlacementId& id) {
    UnitPtr& unit = units_[id];
    if (!unit) {
        unit = std::make_shared<Unit>(runtime_, id);
        tasks_.spawn("agent.placement", serve(shared_from_this(), unit));
    }
    return unit;
}

void Reconciler::want(const UnitPtr& unit, std::shared_ptr<const DesiredPlacement> wanted) {
    const bool same = (!unit->wanted && !wanted) || (unit->wanted && wanted && *unit->wanted == *wanted);
    if (same && unit->epoch != 0) return;
    if (!wanted || !unit->wanted || unit->wanted->digest != wanted->digest) unit->failed_digest.clear();
    if (unit->wanted && unit->app_id.empty()) unit->app_id = unit->wanted->app_id;
    if (unit->wanted) {
        unit->app = unit->wanted->app;
        unit->component = unit->wanted->component;
    }
    unit->wanted = std::move(wanted);
    if (unit->wanted) records_.set_removing(removal_key(*unit), false);
    ++unit->epoch;
    if (unit->failed_digest.empty()) unit->problem.reset();
    unit->retry_at.reset();
    unit->backoff.reset();
    publish(*unit);
    unit->poke();
}

Task<> Reconciler::note_leaving(Self self, const AcceptedSet& next) {
    for (const auto& [id, unit] : self->units_) {
        if (unit->wanted && !next.contains(id)) self->records_.set_removing(removal_key(*unit), true);
    }
    co_await self->records_.save();
}

void Reconciler::set_desired(const AcceptedSet& set) {
    for (const auto& [id, placement] : set) {
        want(unit_for(id), std::make_shared<const DesiredPlacement>(placement));
    }
    std::vector<UnitPtr> left;
    for (const auto& [id, unit] : units_) {
        if (!set.contains(id) && unit->wanted) left.push_back(unit);
    }
    for (const UnitPtr& unit : left) want(unit, nullptr);
    connections_->set_desired(set);
}

std::vector<std::string> Reconciler::local_addresses(const PlacementId& placement, const std::string& service)
    const {
    std::vector<std::string> out;
    const auto found = units_.find(placement);
    if (found == units_.end()) return out;
    const Unit& unit = *found->second;
    // An update proves itself first.
    for (const ContainerState* container : unit.of_service(unit.serving_digest(), service)) {
        const auto address = container->network_ips.find(unit.network);
        if (container->state == "running" && address != container->network_ips.end())
            out.push_back(address->second);
    }
    return out;
}

void Reconciler::forget_connections() {
    std::set<AppId> apps;
    for (const auto& [id, unit] : units_) apps.insert(unit->app_id);
    connections_->keep_only(apps);
}

void Reconciler::trust_desired() {
    if (is_trusted_) return;
    is_trusted_ = true;
    for (const auto& [id, unit] : units_) {
        if (!unit->wanted) unit->poke();
    }
}

std::shared_ptr<const Unit> Reconciler::find(const PlacementId& id) const {
    const auto found = units_.find(id);
    return found == units_.end() ? nullptr : found->second;
}

bool Reconciler::is_informed() const {
    if (!has_asked_) return false;
    if (!engine_info_) return true;
    return std::all_of(units_.begin(), units_.end(), [](const auto& entry) {
        return entry.second->looked || !entry.second->wanted;
    });
}

void Reconciler::publish(Unit& unit) {
    connections_->local_moved();
    UnitView view = view_of(unit, to_ms(runtime_.wall()));
    if (!unit.looked && has_asked_ && !engine_info_) {
        view.observed.reason = engine_problem_;
        view.observed.reason_code = "engine.unreachable";
    }
    if (view.look_again) {
        const BootTime at = runtime_.boot() + *view.look_again;
        if (!unit.look_at || at < *unit.look_at) unit.look_at = at;
    }
    const auto [entry, is_new] = observed_.try_emplace(unit.id, view.observed);
    if (!is_new) {
        if (entry->second == view.observed) return;
        entry->second = std::move(view.observed);
    }
    settings_.observed_changed();
}

void Reconciler::engine_up(EngineInfo info) {
    has_asked_ = true;
    const bool changed =
        !engine_info_ || engine_info_->version != info.version || engine_info_->kind != info.kind;
    engine_info_ = std::move(info);
    engine_problem_.clear();
    for (const auto& [id, unit] : units_) {
        unit->retry_at.reset();
        unit->poke();
    }
    if (!changed) return;
    kLog.info(
        "the container engine answers", {{"engine", engine_info_->kind}, {"version", engine_info_->version}}
    );
    settings_.engine_changed();
}

void Reconciler::engine_down(const Error& why) {
    const std::string problem = describe(why);
    if (engine_info_) {
        ++counters_.engine_losses;
        kLog.warning("the container engine is away", why);
        // What ran until now is to run again if the engine ends it on its way down.
        for (const auto& [id, unit] : units_) {
            for (const ContainerState& container : unit->containers) {
                if (is_up(container) || (has_exited(container) && !records_.has_ended(container.id))) {
                    unit->lost_running.insert(container.id);
                }
            }
        }
    } else if (engine_problem_ != problem) {
        kLog.warning("no container engine", why);
    }
    const bool changed = !has_asked_ || engine_info_.has_value() || engine_problem_ != problem;
    has_asked_ = true;
    engine_info_.reset();
    engine_problem_ = problem;
    if (!changed) return;
    for (const auto& [id, unit] : units_) publish(*unit);
    settings_.engine_changed();
}

/// What the engine is, if it answers and no other agent has it.
Task<Result<EngineInfo>> Reconciler::ask_engine(Self self) {
    Result<EngineInfo> info = co_await self->engine_.info();
    if (info.has_error() || self->settings_.claim == nullptr) co_return info;
    auto work = [claim = self->settings_.claim, id = info->id] { return claim->take(id); };
    const Result<void> taken = co_await offload(self->runtime_, Pool::blocking, std::move(work));
    if (taken.has_error()) co_return taken.error();
    co_return info;
}

Task<> Reconciler::watch_engine(Self self) {
    Backoff backoff(kEngineRetry);
    while (true) {
        Result<EngineInfo> info = co_await ask_engine(self);
        Error why;
        if (info.has_value()) {
            // A subscription before the look: what happens in between is seen twice rather than never.
            self->engine_up(std::move(*info));
            backoff.reset();
            const Result<void> ended = co_await read_events(self);
            why = ended.has_error() ? ended.error()
                                    : Error{engine_errc::unreachable, "the engine closed its event stream"};
            const Result<EngineInfo> again = co_await self->engine_.info();
            if (again.has_error()) why = again.error();
        } else {
            why = info.error();
        }
        self->engine_down(why);
        const Duration pause = backoff.next(self->runtime_) + Duration(100);
        co_await sleep_for(self->runtime_, pause);
    }
}

Task<Result<void>> Reconciler::read_events(Self self) {
    Result<std::unique_ptr<EngineStream<EngineEvent>>> opened =
        co_await self->engine_.events(owned_labels(self->settings_.target));
    if (opened.has_error()) co_return opened.error();
    const std::unique_ptr<EngineStream<EngineEvent>> stream = std::move(*opened);
    Result<void> looked = co_await look_at_all(self);
    if (looked.has_error()) co_return looked;
    co_await look_for_others(self);
    while (true) {
        const Result<std::optional<EngineEvent>> event = co_await stream->next();
        if (event.has_error()) co_return event.error();
        if (!event->has_value()) co_return Result<void>();
        ++self->counters_.events;
        const LabelMap& attributes = (*event)->attributes;
        const auto placement = attributes.find(std::string(label::kPlacement));
        if (placement == attributes.end()) continue;
        const auto unit = self->units_.find(PlacementId{placement->second});
        if (unit == self->units_.end()) continue;
        if ((*event)->action == "die") {
            const auto code = attributes.find("exitCode");
            if (code != attributes.end())
                unit->second->last_exit[(*event)->id] = std::atoi(code->second.c_str());
        }
        unit->second->poke();
    }
}

Task<Result<void>> Reconciler::look_at_all(Self self) {
    const Result<std::vector<ContainerState>> found =
        co_await self->engine_.containers(owned_labels(self->settings_.target));
    if (found.has_error()) co_return found.error();
    std::set<std::string> existing;
    for (const ContainerState& container : *found) {
        existing.insert(container.id);
        const PlacementId id{label_of(container, label::kPlacement)};
        if (id.empty()) continue;
        const bool is_known = self->units_.contains(id);
        const UnitPtr unit = self->unit_for(id);
        if (!is_known) {
            ++self->counters_.orphans;
            unit->app_id = AppId{label_of(container, label::kInstance)};
            kLog.info(
                "containers of an unknown placement",
                {{"app", label_of(container, label::kApp)},
                 {"component", label_of(container, label::kComponent)}}
            );
        }
        if (self->has_rebooted_ && has_exited(container) && !self->records_.has_ended(container.id)) {
            unit->lost_running.insert(container.id);
        }
        unit->poke();
    }
    // Placements whose containers somebody else removed.
    for (const auto& [id, unit] : self->units_) unit->poke();
    self->records_.forget_ended_except(existing);
    self->has_rebooted_ = false;
    self->has_looked_ = true;
    if (!self->notes_boot_ && self->records_.boot_id() != self->settings_.boot_id) {
        self->notes_boot_ = true;
        self->tasks_.spawn("agent.boot", note_boot(self));
    }
    co_return Result<void>();
}

/// The new boot is written down once what the old one left has been started again, so that a second power cut
/// on the way there is no reason to forget it.
Task<> Reconciler::note_boot(Self self) {
    while (std::any_of(self->units_.begin(), self->units_.end(), [](const auto& entry) {
        return !entry.second->lost_running.empty();
    })) {
        co_await sleep_for(self->runtime_, Duration(1'000));
    }
    self->records_.set_boot_id(self->settings_.boot_id);
    co_await self->records_.save();
    self->notes_boot_ = false;
}

/// An engine belongs to one agent. A second one is no reason to touch anything of it, but people should know.
Task<> Reconciler::look_for_others(Self self) {
    const Result<std::vector<ContainerState>> found = co_await self->engine_.containers(
        LabelMap{{std::string(label::kManagedBy), std::string(label::kManager)}}
    );
    if (found.has_error()) co_return;
    for (const ContainerState& container : *found) {
        const std::string target = label_of(container, label::kTarget);
        if (target.empty() || target == self->settings_.target) continue;
        self->engine_problem_ =
            "container '" + container.name + "' on this engine belongs to another node's agent (" + target +
            "); one engine serves one node: remove its containers, or stop the other agent";
        kLog.warning("another agent uses this engine", {{"container", container.name}, {"target", target}});
        self->settings_.engine_changed();
        co_return;
    }
}

Task<> Reconciler::look_regularly(Self self) {
    while (true) {
        co_await sleep_for(self->runtime_, self->settings_.interval);
        if (!self->engine_info_) continue;
        const Result<void> looked = co_await look_at_all(self);
        if (looked.has_error()) kLog.warning("a full look at the engine failed", looked.error());
    }
}

Task<> Reconciler::serve(Self self, UnitPtr unit) {
    while (true) {
        const BootTime now = self->runtime_.boot();
        const bool is_due =
            (unit->retry_at && *unit->retry_at <= now) || (unit->look_at && *unit->look_at <= now);
        // Before the look at all, a container that the reboot ended looks like one that ended by itself.
        const bool may_act = self->engine_info_ && self->has_looked_ && (unit->wanted || self->is_trusted_);
        const bool is_held = unit->problem && unit->retry_at && *unit->retry_at > now;
        if (!may_act || (!unit->dirty && !is_due)) {
            std::optional<BootTime> next = unit->retry_at;
            if (unit->look_at && (!next || *unit->look_at < *next)) next = unit->look_at;
            if (!may_act || !next)
                co_await unit->wake.wait();
            else
                co_await unit->wake.wait_for(std::max(Duration(1), std::chrono::ceil<Duration>(*next - now)));
            continue;
        }
        unit->look_at.reset();
        ++self->counters_.passes;
        const std::uint64_t epoch = unit->epoch;
        if (is_held) {
            // Events during a pause between attempts (of a half-made generation, say) only refresh what is
            // shown.
            (void)co_await self->rollout_->look(unit);
            continue;
        }
        const Result<void> result = co_await self->rollout_->advance(unit);
        self->finish_pass(unit, epoch, result);
        if (unit->gone && !unit->wanted) {
            self->units_.erase(unit->id);
            self->observed_.erase(unit->id);
            self->forget_connections();
            self->settings_.observed_changed();
            co_return;
        }
        unit->gone = false;
    }
}

void Reconciler::finish_pass(const UnitPtr& unit, std::uint64_t epoch, const Result<void>& result) {
    unit->doing.reset();
    unit->progress.clear();
    if (result.has_value()) {
        if (unit->failed_digest.empty()) unit->problem.reset();
        unit->retry_at.reset();
        unit->backoff.reset();
    } else if (unit->epoch != epoch || result.error().code == rollout_errc::superseded ||
               result.error().code == rollout_errc::lease_ended || result.error().code == errc::cancelled) {
        unit->dirty = true;
    } else if (result.error().code == engine_errc::unreachable) {
        // Says nothing about the placement: what was known of it stays, and the engine's return is looked out
        // for.
        unit->retry_at = runtime_.boot() + Duration(1'000) + unit->backoff.next(runtime_);
    } else if (result.error().code == rollout_errc::waits) {
        unit->problem = result.error();
        unit->retry_at = runtime_.boot() + kMomentCheck;
    } else {
        ++counters_.failures;
        const Error& error = result.error();
        if (!unit->problem || unit->problem->detail != error.detail)
            kLog.warning("a placement is not as wanted", error);
        unit->problem = error;
        const bool rolled_back = unit->wanted && unit->failed_digest == unit->wanted->digest;
        if (error.code == rollout_errc::dependency_failed && !rolled_back) {
            unit->retry_at = runtime_.boot() + kDependencyRetry;  // it may have become ready after all
        } else if (may_heal(error) && !rolled_back) {
            unit->retry_at = runtime_.boot() + Duration(1'000) + unit->backoff.next(runtime_);
        }
    }
    publish(*unit);
}

}  // namespace icos::agent
