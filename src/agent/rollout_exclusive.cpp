// SPDX-License-Identifier: Apache-2.0
#include "icos/core/log.hpp"
#include "rollout.hpp"

#include <algorithm>

namespace icos::agent {
namespace {

const Log kLog("agent.rollout");
/// A start takes less; it must not begin so late that the lease ends on the way.
constexpr Duration kStartMargin{3'000};
/// A container that was up this long is restarted at once again.
constexpr Duration kSteady{10'000};

/// How much longer than the grace the engine may take to stop a container.
constexpr Duration kEngineMargin{2'000};

Task<> keep_result(std::shared_ptr<Result<void>> result, Task<Result<void>> work) {
    *result = co_await std::move(work);
}

bool is_down(const ContainerState& container) {
    return container.state == "exited" || container.state == "dead";
}

/// What the engine does by its restart policy (Docker Engine API, HostConfig.RestartPolicy).
bool restarts(const ServiceTraits& traits, const ContainerState& container, std::uint32_t count) {
    switch (traits.restart) {
        case RestartPolicy::no:
            return false;
        case RestartPolicy::always:
        case RestartPolicy::unless_stopped:
            return true;
        case RestartPolicy::on_failure:
            return container.exit_code.value_or(0) != 0 &&
                   (traits.max_retries == 0 || count < traits.max_retries);
    }
    return false;
}

}  // namespace

bool Rollout::may_start(const Unit& unit) const {
    if (!unit.wanted || !unit.wanted->exclusive) return true;
    return parts_.lease.may_start(parts_.runtime.boot(), kStartMargin);
}

void Rollout::judge_restarts(Unit& unit) {
    if (!unit.wanted || !unit.wanted->exclusive || !unit.wanted->run) {
        unit.restarts.clear();
        return;
    }
    const BootTime now = parts_.runtime.boot();
    std::map<std::string, OwnRestart> kept;
    for (ContainerState& container : unit.containers) {
        const auto known = unit.restarts.find(container.id);
        OwnRestart own = known == unit.restarts.end() ? OwnRestart{} : known->second;
        const auto traits = unit.traits.find(label_of(container, label::kService));
        const bool was_stopped = parts_.records.is_stopped(unit.id.value) ||
                                 parts_.records.was_interrupted(container.id) ||
                                 unit.lost_running.contains(container.id);
        if (!is_down(container)) {
            own.due.reset();
            if (!own.up_since) own.up_since = now;
        } else if (!was_stopped && traits != unit.traits.end() &&
                   restarts(traits->second, container, own.count)) {
            if (own.up_since && now - *own.up_since >= kSteady) own.delay.reset();
            own.up_since.reset();
            if (!own.due) own.due = now + own.delay.next(parts_.runtime);
            if (!unit.look_at || *own.due < *unit.look_at) unit.look_at = *own.due;
            container.state = "restarting";
        }
        container.restarts += own.count;
        kept.emplace(container.id, own);
    }
    unit.restarts = std::move(kept);
}

bool Rollout::is_restart_due(Unit& unit, const std::string& id) {
    const auto own = unit.restarts.find(id);
    if (own == unit.restarts.end() || !own->second.due) return false;
    if (*own->second.due > parts_.runtime.boot()) return false;
    own->second.due.reset();
    ++own->second.count;
    return true;
}

Task<Result<void>> Rollout::save_records() {
    co_await parts_.records.save();
    co_return Result<void>();
}

Task<Result<void>> Rollout::interrupt(PlacementId id, Duration grace) {
    const auto stopped = std::make_shared<Result<void>>();
    const bool is_in_time = co_await finish_within(
        parts_.runtime, grace + kEngineMargin, keep_result(stopped, stop_running(id, grace))
    );
    if (is_in_time && stopped->has_value()) co_return Result<void>();
    const Error why =
        is_in_time ? stopped->error() : Error{engine_errc::unreachable, "the engine does not answer"};
    co_return co_await kill_running(id, why);
}

/// What the engine does not stop in time: whoever gets it next will not wait.
Task<Result<void>> Rollout::kill_running(PlacementId id, Error why) {
    Result<void> result;
    for (const std::string& container : parts_.records.exclusive_of(id.value)) {
        if (parts_.lease.holds(parts_.runtime.boot())) break;
        const Result<bool> killed = co_await parts_.engine.kill_processes(container);
        if (killed.has_error()) {
            // The others have to end all the same.
            if (result.has_value()) result = killed.error();
        } else if (*killed) {
            parts_.records.set_interrupted(container, true);
            kLog.warning(
                "killed, because the lease ended and the engine did not stop it",
                {{"container", container.substr(0, 12)}, {"reason", describe(why)}}
            );
        }
    }
    co_await parts_.records.save();
    co_return result;
}

Task<Result<void>> Rollout::stop_running(PlacementId id, Duration grace) {
    const Result<std::vector<ContainerState>> found =
        co_await parts_.engine.containers(placement_labels(id, parts_.target));
    if (found.has_error()) co_return found.error();
    std::vector<Task<Result<void>>> work;
    // Back while the engine was asked.
    if (parts_.lease.holds(parts_.runtime.boot())) co_return Result<void>();
    for (const ContainerState& container : *found) {
        if (is_down(container) || container.state == "created") continue;
        kLog.warning("stopped, because the lease ended", {{"container", container.name}});
        parts_.records.set_interrupted(container.id, true);
        // Not in turn with other calls: this one has a deadline.
        work.push_back(parts_.engine.stop(container.id, grace));
    }
    if (work.empty()) co_return Result<void>();
    work.push_back(save_records());
    co_return co_await all_succeed(parts_.runtime, std::move(work));
}

}  // namespace icos::agent
