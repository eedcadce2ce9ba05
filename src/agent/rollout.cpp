// SPDX-License-Identifier: Apache-2.0
#include "rollout.hpp"

#include "icos/core/daily_window.hpp"
#include "icos/core/log.hpp"

#include <algorithm>
#include <set>

namespace icos::agent {
namespace {

const Log kLog("agent.rollout");
constexpr std::size_t kEngineCallsAtOnce = 6;

std::vector<std::string> ids_of(const std::vector<const ContainerState*>& containers) {
    std::vector<std::string> ids;
    for (const ContainerState* container : containers) ids.push_back(container->id);
    return ids;
}

bool is_up(const ContainerState& container) {
    return container.state == "running" || container.state == "restarting" || container.state == "paused";
}

std::vector<std::string> up_ids(const std::vector<const ContainerState*>& containers) {
    std::vector<std::string> ids;
    for (const ContainerState* container : containers) {
        if (is_up(*container)) ids.push_back(container->id);
    }
    return ids;
}

}  // namespace

bool may_overlap(const PlacementPlan& plan) {
    if (!plan.volumes.empty()) return false;
    return std::all_of(plan.containers.begin(), plan.containers.end(), [](const ContainerPlan& container) {
        const boost::json::value* host = container.body.if_contains("HostConfig");
        if (host != nullptr && host->is_object()) {
            const boost::json::value* mode = host->get_object().if_contains("NetworkMode");
            if (mode != nullptr && mode->is_string() && mode->get_string() == "host") return false;
        }
        return std::none_of(
            container.published.begin(),
            container.published.end(),
            [](const PublishedPort& port) { return port.host != 0; }
        );
    });
}

Rollout::Rollout(Parts parts)
    : parts_(std::move(parts)),
      slots_(parts_.runtime, kEngineCallsAtOnce),
      surroundings_(parts_.runtime, 1) {}

Task<Result<void>> Rollout::advance(UnitPtr unit) {
    Result<void> passed = co_await pass(unit);
    if (passed.has_error()) co_return passed;
    co_return co_await tidy_secrets(unit);
}

Task<Result<void>> Rollout::tidy_secrets(UnitPtr unit) {
    std::set<std::string> digests;
    if (unit->wanted) digests.insert(unit->wanted->digest);
    if (!unit->gone) {
        for (const ContainerState& container : unit->containers)
            digests.insert(label_of(container, label::kDigest));
    }
    return parts_.secrets.keep(unit->id, std::move(digests));
}

Task<Result<void>> Rollout::pass(UnitPtr unit) {
    const std::shared_ptr<const DesiredPlacement> wanted = unit->wanted;
    const std::uint64_t epoch = unit->epoch;
    Result<void> looked = co_await look(unit);
    if (looked.has_error()) co_return looked;
    if (!wanted) co_return co_await remove(unit);
    unit->app_id = wanted->app_id;
    if (!wanted->run) co_return co_await halt(unit);
    unit->awaits_lease = !may_start(*unit);
    if (unit->awaits_lease) co_return Result<void>();

    Result<PlacementPlan> made = plan_placement(*wanted, parts_.target, parts_.secrets.directory());
    if (made.has_error()) co_return made.error();
    Result<void> provided = co_await parts_.secrets.provide(std::move(made->secrets));
    if (provided.has_error()) co_return provided;
    Context context;
    context.unit = unit;
    context.plan = std::make_shared<const PlacementPlan>(std::move(*made));
    context.wanted = wanted;
    context.epoch = epoch;
    // Services of the previous plan keep their traits for as long as their containers may be there.
    for (auto& [service, traits] : traits_of(*context.plan)) unit->traits.insert_or_assign(service, traits);
    unit->network = context.plan->application_network;

    if (!wanted->connections.empty() && !unit->containers.empty()) co_await keep_connections(context);
    const std::string fallback = unit->fallback_digest();
    if (fallback.empty()) co_return co_await bring_up(std::move(context));
    if (unit->failed_digest == wanted->digest) co_return co_await hold(unit, fallback);
    Result<void> moment = co_await check_moment(context, fallback);
    if (moment.has_error()) {
        const bool waits = moment.error().code == rollout_errc::waits;
        if (!waits) co_return moment;
        // Meanwhile the old generation is kept as after a failed update: whole, and started if need be.
        Result<void> held = co_await hold(unit, fallback);
        if (held.has_error()) co_return held;
        co_return moment;
    }
    co_return co_await switch_over(std::move(context));
}

/// Whether an update may begin now: in its window, and not while the application holds its lock.
Task<Result<void>> Rollout::check_moment(Context context, std::string fallback) {
    if (!context.wanted->window.empty()) {
        const std::optional<DailyWindow> window = DailyWindow::parse(context.wanted->window);
        const std::optional<WallTime> now = parts_.time();
        if (window && !now) {
            co_return Error{
                rollout_errc::waits,
                "the update waits for its window (" + window->text() +
                    " UTC), and this node's clock is not known "
                    "to be right",
                "it goes on after the next contact with the controller"
            };
        }
        if (window && !window->contains(*now))
            co_return Error{
                rollout_errc::waits, "the update waits for its window (" + window->text() + " UTC)"
            };
    }
    for (const ContainerState* container : context.unit->of_digest(fallback)) {
        if (!is_up(*container)) continue;
        const Result<bool> locked = co_await parts_.engine.has_path(container->id, kUpdateLock);
        if (locked.has_error()) co_return locked.error();
        if (*locked) {
            co_return Error{
                rollout_errc::waits,
                "the update waits: the application holds its lock (" + std::string(kUpdateLock) +
                    " in container '" + container->name + "')",
                "it goes on when the application removes the file"
            };
        }
    }
    co_return Result<void>();
}

Task<Result<void>> Rollout::bring_up(Context context) {
    const UnitPtr unit = context.unit;
    if (unit->of_digest(context.wanted->digest).size() < context.plan->containers.size()) {
        Result<void> created = co_await create_missing(context, false);
        if (created.has_error()) co_return created;
    }
    std::vector<std::string> ids = to_start(*unit, context.wanted->digest);
    if (!ids.empty()) {
        doing(*unit, PlacementState::starting);
        Result<void> started = co_await start_in_order(context, std::move(ids));
        if (started.has_error()) co_return started;
        Result<void> looked = co_await look(unit);
        if (looked.has_error()) co_return looked;
    }
    unit->lost_running.clear();
    parts_.records.set_stopped(unit->id.value, false);
    co_await take_final_names(context);
    co_await parts_.records.save();
    co_return Result<void>();
}

Task<Result<void>> Rollout::switch_over(Context context) {
    const UnitPtr unit = context.unit;
    const std::string fallback = unit->fallback_digest();
    kLog.info(
        "switching to a new generation",
        {{"app", context.wanted->app},
         {"component", context.wanted->component},
         {"generation", context.wanted->generation}}
    );
    Result<void> created = co_await create_missing(context, true);
    if (created.has_error()) {
        if (created.error().code != rollout_errc::superseded &&
            created.error().code != engine_errc::unreachable) {
            const std::vector<std::string> half_made = ids_of(unit->of_digest(context.wanted->digest));
            (void)co_await remove_all(unit, half_made);
        }
        co_return created;
    }
    // Half-made successors of an earlier change of mind.
    std::vector<std::string> strays;
    for (const ContainerState& container : unit->containers) {
        const std::string digest = label_of(container, label::kDigest);
        if (digest != context.wanted->digest && digest != fallback) strays.push_back(container.id);
    }
    Result<void> cleared = co_await remove_all(unit, strays);
    if (cleared.has_error()) co_return cleared;

    std::vector<std::string> stopped;
    if (!may_overlap(*context.plan) || context.wanted->update_order == "stop-first") {
        // Written down, so that whatever cuts this short, the old generation's containers count as stopped on
        // request.
        parts_.records.set_stopped(unit->id.value, true);
        co_await parts_.records.save();
        stopped = up_ids(unit->of_digest(fallback));
        Result<void> down = co_await stop_all(unit, stopped);
        if (down.has_error()) co_return down;
        // After a crash in the middle they were stopped by that earlier pass.
        if (stopped.empty()) stopped = to_start(*unit, fallback);
    }
    Result<void> proved = co_await start_in_order(context, to_start(*unit, context.wanted->digest));
    if (proved.has_value()) proved = co_await prove(context);
    if (proved.has_error()) {
        const boost::system::error_code code = proved.error().code;
        if (code == rollout_errc::superseded || code == engine_errc::unreachable) co_return proved;
        co_return co_await go_back(context, fallback, std::move(stopped), proved.error());
    }
    const std::vector<std::string> replaced = ids_of(unit->of_digest(fallback));
    Result<void> stopped_old = co_await stop_all(unit, up_ids(unit->of_digest(fallback)));
    if (stopped_old.has_error()) co_return stopped_old;
    Result<void> removed = co_await remove_all(unit, replaced);
    if (removed.has_error()) co_return removed;
    co_await take_final_names(context);
    co_await drop_old_networks(context);
    parts_.records.set_stopped(unit->id.value, false);
    co_await parts_.records.save();
    unit->lost_running.clear();
    co_return co_await look(unit);
}

Task<Result<void>> Rollout::go_back(
    Context context, std::string fallback, std::vector<std::string> stopped, Error why
) {
    const UnitPtr unit = context.unit;
    kLog.warning(
        "a new generation failed, the old one stays",
        {{"app", context.wanted->app}, {"component", context.wanted->component}, {"reason", why.detail}}
    );
    unit->failed_digest = context.wanted->digest;
    unit->problem = why;
    Result<void> removed = co_await remove_all(unit, ids_of(unit->of_digest(context.wanted->digest)));
    if (removed.has_error()) co_return removed;
    for (const std::string& id : stopped) {
        Result<void> started = co_await start_one(unit, id);
        if (started.has_error()) co_return started;
    }
    parts_.records.set_stopped(unit->id.value, false);
    co_await parts_.records.save();
    Result<void> looked = co_await look(unit);
    if (looked.has_error()) co_return looked;
    co_return why;
}

/// Keeps an old generation after its successor failed.
Task<Result<void>> Rollout::hold(UnitPtr unit, std::string digest) {
    std::vector<std::string> others;
    for (const ContainerState& container : unit->containers) {
        if (label_of(container, label::kDigest) != digest) others.push_back(container.id);
    }
    Result<void> removed = co_await remove_all(unit, std::move(others));
    if (removed.has_error()) co_return removed;
    for (const std::string& id : to_start(*unit, digest)) {
        Result<void> started = co_await start_one(unit, id);
        if (started.has_error()) co_return started;
    }
    unit->lost_running.clear();
    parts_.records.set_stopped(unit->id.value, false);
    co_await parts_.records.save();
    co_return Result<void>();
}

Task<Result<void>> Rollout::halt(UnitPtr unit) {
    std::vector<std::string> up;
    for (const ContainerState& container : unit->containers) {
        if (is_up(container)) up.push_back(container.id);
    }
    if (!unit->containers.empty() && !parts_.records.is_stopped(unit->id.value)) {
        parts_.records.set_stopped(unit->id.value, true);
        co_await parts_.records.save();
    }
    unit->lost_running.clear();
    if (up.empty()) co_return Result<void>();
    Result<void> stopped = co_await stop_all(unit, std::move(up));
    if (stopped.has_error()) co_return stopped;
    co_return co_await look(unit);
}

Task<Result<void>> Rollout::remove(UnitPtr unit) {
    const std::string key = removal_key(*unit);
    parts_.records.set_removing(key, true);
    co_await parts_.records.save();
    std::vector<std::string> up;
    std::vector<std::string> all;
    for (const ContainerState& container : unit->containers) {
        all.push_back(container.id);
        if (is_up(container)) up.push_back(container.id);
    }
    Result<void> stopped = co_await stop_all(unit, std::move(up));
    if (stopped.has_error()) co_return stopped;
    Result<void> removed = co_await remove_all(unit, std::move(all));
    if (removed.has_error()) co_return removed;
    Result<void> cleared = co_await remove_belongings(unit);
    if (cleared.has_error()) co_return cleared;
    parts_.records.set_removing(key, false);
    parts_.records.forget_images(unit->id.value);
    parts_.records.set_stopped(unit->id.value, false);
    co_await parts_.records.save();
    unit->gone = true;
    co_return Result<void>();
}

Task<Result<void>> Rollout::remove_belongings(UnitPtr unit) {
    const LabelMap own = placement_labels(unit->id, parts_.target);
    const Result<std::vector<std::string>> volumes = co_await parts_.engine.volumes(own);
    if (volumes.has_error()) co_return volumes.error();
    for (const std::string& volume : *volumes) {
        Result<void> removed = co_await parts_.engine.remove_volume(volume);
        if (removed.has_error()) co_return removed;
    }
    Result<std::vector<std::string>> networks = co_await parts_.engine.networks(own);
    if (networks.has_error()) co_return networks.error();
    if (!unit->app_id.empty() && !parts_.app_in_use(unit->app_id, unit->id)) {
        LabelMap shared = owned_labels(parts_.target);
        shared.emplace(label::kInstance, unit->app_id.value);
        const Result<std::vector<ContainerState>> left = co_await parts_.engine.containers(shared);
        if (left.has_error()) co_return left.error();
        if (left->empty()) {
            Result<std::vector<std::string>> more = co_await parts_.engine.networks(shared);
            if (more.has_error()) co_return more.error();
            networks->insert(networks->end(), more->begin(), more->end());
        }
    }
    for (const std::string& network : *networks) {
        // Another placement of the application may have come while the engine was asked.
        if (!unit->app_id.empty() && network == unit->network && parts_.app_in_use(unit->app_id, unit->id))
            continue;
        Result<void> removed = co_await parts_.engine.remove_network(network);
        if (removed.has_error()) co_return removed;
    }
    co_return Result<void>();
}

}  // namespace icos::agent
