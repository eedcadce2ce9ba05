// SPDX-License-Identifier: Apache-2.0
#include "icos/core/log.hpp"
#include "rollout.hpp"

#include <algorithm>
#include <set>

namespace icos::agent {
namespace {

const Log kLog("agent.rollout");
/// A container without a health check has proved itself once it has run this long.
constexpr Duration kSettle{1'000};
/// Between two looks while events are awaited; events come sooner.
constexpr Duration kPoll{5'000};
/// A one-shot container that ended just now may have been ended by an engine that is going down.
constexpr Duration kEndedForGood{2'000};
constexpr Duration kConnectionRetry{10'000};

void add_variables(const std::map<std::string, std::string>& variables, boost::json::object& body) {
    if (variables.empty()) return;
    boost::json::value& list = body["Env"];
    if (!list.is_array()) list = boost::json::array();
    for (const auto& [name, value] : variables) list.get_array().emplace_back(name + "=" + value);
}

Error superseded() {
    return Error{rollout_errc::superseded, "something else is wanted by now"};
}

}  // namespace

void Rollout::doing(Unit& unit, std::optional<PlacementState> state, std::string progress) {
    if (unit.doing == state && unit.progress == progress) return;
    unit.doing = state;
    unit.progress = std::move(progress);
    parts_.changed(unit);
}

Task<Result<void>> Rollout::look(UnitPtr unit) {
    unit->dirty = false;
    Result<std::vector<ContainerState>> found =
        co_await parts_.engine.containers(placement_labels(unit->id, parts_.target));
    if (found.has_error()) co_return found.error();
    unit->containers = std::move(*found);
    unit->looked = true;
    std::map<std::string, int> exits;
    for (const ContainerState& container : unit->containers) {
        const bool is_down =
            container.state == "exited" || container.state == "dead" || container.state == "restarting";
        const auto known = unit->last_exit.find(container.id);
        if (is_down && container.exit_code)
            exits[container.id] = *container.exit_code;
        else if (known != unit->last_exit.end())
            exits[container.id] = known->second;
        if (unit->app_id.empty()) unit->app_id = AppId{label_of(container, label::kInstance)};
        unit->app = label_of(container, label::kApp);
        unit->component = label_of(container, label::kComponent);
    }
    unit->last_exit = std::move(exits);
    judge_restarts(*unit);
    parts_.changed(*unit);
    co_return Result<void>();
}

std::vector<std::string> Rollout::to_start(Unit& unit, const std::string& digest) {
    std::vector<std::string> ids;
    const std::int64_t now_ms = to_ms(parts_.runtime.wall());
    const bool on_request = parts_.records.is_stopped(unit.id.value);
    for (const ContainerState* container : unit.of_digest(digest)) {
        if (container->state == "created") {
            ids.push_back(container->id);
            continue;
        }
        if (is_restart_due(unit, container->id)) ids.push_back(container->id);
        if (container->state != "exited" && container->state != "dead") continue;
        const auto traits = unit.traits.find(label_of(*container, label::kService));
        const RestartPolicy policy = traits == unit.traits.end() ? RestartPolicy::no : traits->second.restart;
        const bool comes_back = policy == RestartPolicy::always || policy == RestartPolicy::unless_stopped;
        const bool was_up =
            unit.lost_running.contains(container->id) || parts_.records.was_interrupted(container->id);
        if (comes_back || on_request || was_up) {
            parts_.records.set_ended(container->id, false);
            parts_.records.set_interrupted(container->id, false);
            ids.push_back(container->id);
        } else if (!parts_.records.has_ended(container->id)) {
            const std::int64_t since = now_ms - container->finished_ms;
            if (container->finished_ms > 0 && since >= 0 && since < kEndedForGood.count()) {
                unit.look_at = parts_.runtime.boot() + kEndedForGood;
            } else {
                parts_.records.set_ended(container->id, true);
            }
        }
    }
    return ids;
}

Task<Result<void>> Rollout::stage_images(Context context, std::map<std::string, std::string>* use) {
    const UnitPtr unit = context.unit;
    std::set<std::pair<std::string, std::string>> wishes;
    for (const ContainerPlan& container : context.plan->containers)
        wishes.emplace(container.image, container.pull_policy);
    std::set<std::string> needed;
    for (const auto& [reference, policy] : wishes) {
        ImageStore::Wish wish;
        wish.reference = reference;
        wish.policy = policy;
        wish.auth = registry_auth(reference, context.wanted->credentials);
        wish.architecture = parts_.architecture();
        ImageStore::Report report = [this, unit](std::string progress) {
            doing(*unit, PlacementState::preparing, std::move(progress));
        };
        ImageStore::Wanted wanted = [context] { return !context.superseded(); };
        Result<ImageStore::Staged> staged =
            co_await ImageStore::ensure(parts_.images, std::move(wish), std::move(report), std::move(wanted));
        if (context.superseded()) co_return superseded();
        if (staged.has_error()) co_return staged.error();
        (*use)[reference] = staged->use;
        needed.insert(reference);
        needed.insert(staged->image.id);
    }
    parts_.records.note_images(unit->id.value, context.wanted->digest, std::move(needed));
    co_return Result<void>();
}

Task<Result<void>> Rollout::provide_surroundings(Context context) {
    const Slots::Ticket ticket = co_await surroundings_.take();
    for (const NetworkPlan& network : context.plan->networks) {
        if (network.external) continue;
        Result<void> created = co_await parts_.engine.create_network(network.name, network.body);
        if (created.has_error()) co_return created;
    }
    for (const VolumePlan& volume : context.plan->volumes) {
        if (volume.external) continue;
        Result<void> created = co_await parts_.engine.create_volume(volume.name, volume.body);
        if (created.has_error()) co_return created;
    }
    co_return Result<void>();
}

/// Listens again after a restart of the agent or the engine. What runs goes on without, and says so.
Task<> Rollout::keep_connections(Context context) {
    using Variables = std::map<std::string, std::string>;
    const UnitPtr unit = context.unit;
    const Result<Variables> provided =
        co_await Connections::provide(parts_.connections, context.wanted, context.plan->application_network);
    if (provided.has_value()) {
        unit->connection_problem.reset();
        co_return;
    }
    if (!unit->connection_problem) kLog.warning("a component's connections are not served", provided.error());
    unit->connection_problem = provided.error();
    const BootTime again = parts_.runtime.boot() + kConnectionRetry;
    if (!unit->look_at || again < *unit->look_at) unit->look_at = again;
}

Task<Result<void>> Rollout::create_missing(Context context, bool staged) {
    const UnitPtr unit = context.unit;
    std::set<std::pair<std::string, std::string>> present;
    for (const ContainerState* container : unit->of_digest(context.wanted->digest)) {
        present.emplace(label_of(*container, label::kService), label_of(*container, label::kIndex));
    }
    std::vector<const ContainerPlan*> missing;
    for (const ContainerPlan& plan : context.plan->containers) {
        if (!present.contains({plan.service, std::to_string(plan.index)})) missing.push_back(&plan);
    }
    if (missing.empty()) co_return Result<void>();
    doing(*unit, PlacementState::preparing);
    std::map<std::string, std::string> use;
    Result<void> done = co_await stage_images(context, &use);
    if (done.has_error()) co_return done;
    doing(*unit, PlacementState::preparing);
    done = co_await provide_surroundings(context);
    if (done.has_error()) co_return done;
    using Variables = std::map<std::string, std::string>;
    const Result<Variables> variables =
        co_await Connections::provide(parts_.connections, context.wanted, context.plan->application_network);
    if (variables.has_error()) co_return variables.error();
    if (context.superseded()) co_return superseded();
    std::vector<Task<Result<void>>> creations;
    for (const ContainerPlan* plan : missing) {
        boost::json::object body = plan->body;
        body["Image"] = use[plan->image];
        add_variables(*variables, body);
        creations.push_back(
            create_one(context, plan, staged ? plan->staged_name : plan->name, std::move(body))
        );
    }
    done = co_await all_succeed(parts_.runtime, std::move(creations));
    Result<void> looked = co_await look(unit);
    if (done.has_error()) co_return done;
    co_return looked;
}

Task<Result<void>> Rollout::create_one(
    Context context, const ContainerPlan* plan, std::string name, boost::json::object body
) {
    const Slots::Ticket ticket = co_await slots_.take();
    const Result<std::string> id = co_await parts_.engine.create_container(std::move(name), std::move(body));
    if (id.has_error()) co_return id.error();
    for (const NetworkAttachment& more : plan->more_networks) {
        Result<void> connected = co_await parts_.engine.connect_network(more.network, *id, more.endpoint);
        if (connected.has_error()) {
            // Without it the container would look complete to the next pass.
            (void)co_await parts_.engine.remove_container(*id);
            co_return connected;
        }
    }
    if (!plan->files.empty()) {
        const Result<std::string> tar = make_tar(plan->files);
        Result<void> put = tar.has_error() ? Result<void>(tar.error()) : Result<void>();
        if (put.has_value()) put = co_await parts_.engine.put_archive(*id, "/", *tar);
        if (put.has_error()) {
            (void)co_await parts_.engine.remove_container(*id);
            co_return put;
        }
    }
    co_return Result<void>();
}

Task<Result<void>> Rollout::start_one(UnitPtr unit, std::string id) {
    const Slots::Ticket ticket = co_await slots_.take();
    // It may have waited for its turn.
    if (unit->wanted && unit->wanted->exclusive) {
        parts_.records.add_exclusive(unit->id.value, id);
        co_await parts_.records.save();
    }
    if (!may_start(*unit)) co_return Error{rollout_errc::lease_ended, "the node's lease has ended"};
    co_return co_await parts_.engine.start(std::move(id));
}

Task<Result<void>> Rollout::stop_one(std::string id, Duration grace) {
    const Slots::Ticket ticket = co_await slots_.take();
    co_return co_await parts_.engine.stop(std::move(id), grace);
}

Task<Result<void>> Rollout::remove_one(std::string id) {
    const Slots::Ticket ticket = co_await slots_.take();
    co_return co_await parts_.engine.remove_container(std::move(id));
}

Task<Result<void>> Rollout::wait_for_change(UnitPtr unit, Duration limit) {
    if (!unit->dirty) co_await unit->wake.wait_for(std::max(Duration(1), std::min(limit, kPoll)));
    co_return co_await look(unit);
}

Task<Result<void>> Rollout::await_dependencies(Context context, const ContainerPlan* plan) {
    const BootTime deadline = parts_.runtime.boot() + Duration(context.wanted->health_timeout_ms);
    for (const Dependency& dependency : plan->depends_on) {
        while (true) {
            if (context.superseded()) co_return superseded();
            const Gate met = meets(
                context.unit->of_service(context.wanted->digest, dependency.service),
                dependency.condition,
                dependency.service
            );
            if (met.verdict == Verdict::passed) break;
            const BootTime now = parts_.runtime.boot();
            const bool is_late = now >= deadline;
            if (met.verdict == Verdict::failed || is_late) {
                if (!dependency.required) break;
                const std::string why =
                    met.verdict == Verdict::failed
                        ? met.reason
                        : "service '" + dependency.service + "' is not ready after " +
                              format_duration(Duration(context.wanted->health_timeout_ms));
                co_return Error{
                    rollout_errc::dependency_failed, "service '" + plan->service + "' cannot start: " + why
                };
            }
            Result<void> looked =
                co_await wait_for_change(context.unit, std::chrono::ceil<Duration>(deadline - now));
            if (looked.has_error()) co_return looked;
        }
    }
    co_return Result<void>();
}

Task<Result<void>> Rollout::start_in_order(Context context, std::vector<std::string> ids) {
    const UnitPtr unit = context.unit;
    const std::set<std::string> wanted_ids(ids.begin(), ids.end());
    unsigned last_level = 0;
    for (const auto& [service, traits] : unit->traits) last_level = std::max(last_level, traits.level);
    for (unsigned level = 0; level <= last_level; ++level) {
        std::vector<Task<Result<void>>> starts;
        for (const ContainerPlan& plan : context.plan->containers) {
            if (unit->traits[plan.service].level != level) continue;
            for (const ContainerState* container : unit->of_service(context.wanted->digest, plan.service)) {
                if (label_of(*container, label::kIndex) != std::to_string(plan.index)) continue;
                if (!wanted_ids.contains(container->id)) continue;
                const std::string id = container->id;
                Result<void> ready = co_await await_dependencies(context, &plan);
                if (ready.has_error()) co_return ready;
                starts.push_back(start_one(unit, id));
                break;
            }
        }
        if (starts.empty()) continue;
        if (context.superseded()) co_return superseded();
        Result<void> started = co_await all_succeed(parts_.runtime, std::move(starts));
        if (started.has_error()) {
            (void)co_await look(unit);
            co_return started;
        }
        if (level < last_level) {
            Result<void> looked = co_await look(unit);
            if (looked.has_error()) co_return looked;
        }
    }
    co_return Result<void>();
}

Task<Result<void>> Rollout::prove(Context context) {
    const UnitPtr unit = context.unit;
    const BootTime began = parts_.runtime.boot();
    const BootTime deadline = began + Duration(context.wanted->health_timeout_ms);
    Result<void> looked = co_await look(unit);
    // The engine stamps starts with the wall clock, which may be set meanwhile: from here on the boot clock
    // tells how long they run. If it was set back just before, the newest start is the best that is known.
    std::int64_t began_ms = to_ms(parts_.runtime.wall());
    for (const ContainerState* container : unit->of_digest(context.wanted->digest))
        began_ms = std::max(began_ms, container->started_ms);
    while (true) {
        if (looked.has_error()) co_return looked;
        if (context.superseded()) co_return superseded();
        const auto watched = std::chrono::duration_cast<Duration>(parts_.runtime.boot() - began);
        const Gate proved = gate(
            unit->of_digest(context.wanted->digest),
            context.plan->containers.size(),
            unit->traits,
            unit->last_exit,
            kSettle,
            began_ms + watched.count()
        );
        if (proved.verdict == Verdict::passed) co_return Result<void>();
        if (proved.verdict == Verdict::failed) {
            const bool exits = proved.reason_code == "container.exits";
            co_return Error{exits ? rollout_errc::exits : rollout_errc::unhealthy, proved.reason};
        }
        const BootTime now = parts_.runtime.boot();
        if (now >= deadline) {
            co_return Error{
                rollout_errc::unhealthy,
                "not healthy after " + format_duration(Duration(context.wanted->health_timeout_ms))
            };
        }
        const Duration left = std::chrono::ceil<Duration>(deadline - now);
        looked = co_await wait_for_change(unit, std::min(left, proved.look_again.value_or(left)));
    }
}

Task<Result<void>> Rollout::stop_all(UnitPtr unit, std::vector<std::string> ids) {
    std::map<unsigned, std::vector<Task<Result<void>>>, std::greater<>> by_level;
    for (const ContainerState& container : unit->containers) {
        if (std::find(ids.begin(), ids.end(), container.id) == ids.end()) continue;
        const auto traits = unit->traits.find(label_of(container, label::kService));
        const bool known = traits != unit->traits.end();
        by_level[known ? traits->second.level : 0].push_back(
            stop_one(container.id, known ? traits->second.stop_grace : Duration(10'000))
        );
    }
    for (auto& [level, stops] : by_level) {
        Result<void> stopped = co_await all_succeed(parts_.runtime, std::move(stops));
        if (stopped.has_error() && stopped.error().code != engine_errc::not_found) co_return stopped;
    }
    co_return Result<void>();
}

Task<Result<void>> Rollout::remove_all(UnitPtr unit, std::vector<std::string> ids) {
    if (ids.empty()) co_return Result<void>();
    std::vector<Task<Result<void>>> removals;
    for (const std::string& id : ids) {
        parts_.records.set_ended(id, false);
        parts_.records.set_interrupted(id, false);
        removals.push_back(remove_one(id));
    }
    Result<void> removed = co_await all_succeed(parts_.runtime, std::move(removals));
    if (removed.has_error()) co_return removed;
    co_return co_await look(unit);
}

Task<> Rollout::take_final_names(Context context) {
    for (const ContainerPlan& plan : context.plan->containers) {
        for (const ContainerState* container :
             context.unit->of_service(context.wanted->digest, plan.service)) {
            if (label_of(*container, label::kIndex) != std::to_string(plan.index) ||
                container->name == plan.name)
                continue;
            const std::string id = container->id;
            const Result<void> renamed = co_await parts_.engine.rename(id, plan.name);
            // The name is for people; labels say what the container is.
            if (renamed.has_error()) kLog.warning("a container keeps its staging name", renamed.error());
            break;
        }
    }
}

Task<> Rollout::drop_old_networks(Context context) {
    const Result<std::vector<std::string>> present =
        co_await parts_.engine.networks(placement_labels(context.unit->id, parts_.target));
    if (present.has_error()) co_return;
    for (const std::string& name : *present) {
        const bool used = std::any_of(
            context.plan->networks.begin(),
            context.plan->networks.end(),
            [&](const NetworkPlan& n) { return n.name == name; }
        );
        if (used) continue;
        const Result<void> removed = co_await parts_.engine.remove_network(name);
        if (removed.has_error()) kLog.warning("a network of an earlier generation is left", removed.error());
    }
}

}  // namespace icos::agent
