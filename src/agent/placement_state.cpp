// SPDX-License-Identifier: Apache-2.0
#include "placement_state.hpp"

#include "unit.hpp"

#include <algorithm>
#include <set>

namespace icos::agent {
namespace {

/// A container that was restarted counts as up again once it has run this long.
constexpr Duration kSteady{10'000};

const ServiceTraits& traits_for(const Traits& traits, const ContainerState& container) {
    static const ServiceTraits unknown{};
    const auto found = traits.find(label_of(container, label::kService));
    return found == traits.end() ? unknown : found->second;
}

bool is_one_shot(const ServiceTraits& traits) {
    return traits.restart == RestartPolicy::no || traits.restart == RestartPolicy::on_failure;
}

std::string quoted_service(const ContainerState& container) {
    return "service '" + label_of(container, label::kService) + "'";
}

std::optional<int> exit_code_of(
    const ContainerState& container, const std::map<std::string, int>& last_exit
) {
    const bool is_down =
        container.state == "exited" || container.state == "dead" || container.state == "restarting";
    if (is_down && container.exit_code) return container.exit_code;
    const auto found = last_exit.find(container.id);
    if (found == last_exit.end()) return std::nullopt;
    return found->second;
}

std::string exits_text(const ContainerState& container, const std::map<std::string, int>& last_exit) {
    std::string text = quoted_service(container);
    if (!container.error.empty()) return text + " does not start: " + container.error;
    const std::optional<int> code = exit_code_of(container, last_exit);
    text += code ? " exits with code " + std::to_string(*code) : std::string(" exits");
    if (container.oom_killed) text += " (out of memory: the limit of the container was reached)";
    if (container.restarts > 0) text += ", restarted " + std::to_string(container.restarts) + " times";
    return text;
}

/// Clocks of the engine and the agent are the same machine's; a step of it must not make an age negative or
/// huge.
Duration age(std::int64_t started_ms, std::int64_t now_ms) {
    if (started_ms <= 0 || now_ms < started_ms) return Duration(0);
    return Duration(now_ms - started_ms);
}

void sooner(std::optional<Duration>& when, Duration candidate) {
    if (!when || candidate < *when) when = candidate;
}

}  // namespace

Traits traits_of(const PlacementPlan& plan) {
    Traits traits;
    for (const ContainerPlan& container : plan.containers) {
        ServiceTraits entry;
        entry.restart = container.restart;
        entry.max_retries = container.restart_max_retries;
        entry.stop_grace = container.stop_grace;
        entry.has_healthcheck = container.has_healthcheck;
        for (const Dependency& dependency : container.depends_on) {
            const auto found = traits.find(dependency.service);  // start order: it came before
            if (found != traits.end()) entry.level = std::max(entry.level, found->second.level + 1);
        }
        traits.insert_or_assign(container.service, entry);
    }
    return traits;
}

std::string label_of(const ContainerState& container, std::string_view key) {
    const auto found = container.labels.find(std::string(key));
    return found == container.labels.end() ? std::string() : found->second;
}

std::string service_title(const ContainerState& container, bool several) {
    std::string title = label_of(container, label::kService);
    if (several) title += "." + label_of(container, label::kIndex);
    return title;
}

Judgement judge(
    const std::vector<const ContainerState*>& containers,
    const Traits& traits,
    const std::map<std::string, int>& last_exit,
    Duration health_timeout,
    std::int64_t now_ms
) {
    // The worst service decides; `rank` orders what people should hear of first.
    enum Rank { completed, running, starting, unhealthy, restarting, failed };
    Rank worst = completed;
    Judgement out;
    const auto say = [&](Rank rank, std::string reason, std::string code) {
        if (rank < worst || (rank == worst && !out.reason.empty())) return;
        worst = rank;
        out.reason = std::move(reason);
        out.reason_code = std::move(code);
    };
    for (const ContainerState* each : containers) {
        const ContainerState& container = *each;
        const ServiceTraits& service = traits_for(traits, container);
        if (container.state == "restarting") {
            say(restarting, exits_text(container, last_exit), "container.exits");
        } else if (container.state == "running" || container.state == "paused") {
            const Duration up = age(container.started_ms, now_ms);
            if (container.restarts > 0 && up < kSteady) {
                say(restarting, exits_text(container, last_exit), "container.exits");
                sooner(out.look_again, kSteady - up);
            } else if (container.health == "unhealthy") {
                say(unhealthy, quoted_service(container) + ": its health check fails", "container.unhealthy");
            } else if (container.health == "starting") {
                if (up >= health_timeout) {
                    say(unhealthy,
                        quoted_service(container) + " is not healthy after " +
                            format_duration(health_timeout),
                        "container.unhealthy");
                } else {
                    say(starting, "", "");
                    sooner(out.look_again, health_timeout - up);
                }
            } else {
                say(running, "", "");
            }
        } else if (container.state == "created") {
            if (container.error.empty())
                say(starting, "", "");
            else
                say(failed, exits_text(container, last_exit), "container.start_failed");
        } else if (container.state == "exited" || container.state == "dead") {
            const bool clean = container.exit_code.value_or(0) == 0 && container.state == "exited";
            if (!is_one_shot(service))
                say(starting, "", "");
            else if (clean)
                say(completed, "", "");
            else
                say(failed, exits_text(container, last_exit), "container.exits");
        } else {
            say(starting, "", "");
        }
    }
    switch (worst) {
        case completed:
            out.state = PlacementState::completed;
            break;
        case running:
            out.state = PlacementState::running;
            break;
        case starting:
            out.state = PlacementState::starting;
            break;
        case unhealthy:
            out.state = PlacementState::unhealthy;
            break;
        case restarting:
            out.state = PlacementState::restarting;
            break;
        case failed:
            out.state = PlacementState::failed;
            break;
    }
    if (containers.empty()) out.state = PlacementState::pending;
    return out;
}

Gate gate(
    const std::vector<const ContainerState*>& containers,
    std::size_t expected,
    const Traits& traits,
    const std::map<std::string, int>& last_exit,
    Duration settle,
    std::int64_t now_ms
) {
    Gate out;
    const auto fail = [&](std::string reason, std::string code) {
        out.verdict = Verdict::failed;
        out.reason = std::move(reason);
        out.reason_code = std::move(code);
        return out;
    };
    bool all_up = containers.size() >= expected;
    for (const ContainerState* each : containers) {
        const ContainerState& container = *each;
        const ServiceTraits& service = traits_for(traits, container);
        if (container.state == "restarting" || container.restarts > 0) {
            return fail(exits_text(container, last_exit), "container.exits");
        }
        if (container.state == "exited" || container.state == "dead") {
            const bool done = is_one_shot(service) && container.exit_code.value_or(1) == 0;
            if (!done) return fail(exits_text(container, last_exit), "container.exits");
            continue;
        }
        if (container.health == "unhealthy") {
            return fail(quoted_service(container) + ": its health check fails", "container.unhealthy");
        }
        if (container.state != "running" || container.health == "starting") {
            all_up = false;
            continue;
        }
        const Duration up = age(container.started_ms, now_ms);
        if (container.health.empty() && up < settle) {
            all_up = false;
            sooner(out.look_again, settle - up);
        }
    }
    if (all_up) out.verdict = Verdict::passed;
    return out;
}

Gate meets(
    const std::vector<const ContainerState*>& containers, StartCondition condition, const std::string& service
) {
    Gate out;
    const auto fail = [&](std::string reason) {
        out.verdict = Verdict::failed;
        out.reason = "service '" + service + "' " + std::move(reason);
        out.reason_code = "dependency.failed";
        return out;
    };
    bool all = !containers.empty();
    for (const ContainerState* each : containers) {
        const bool ended = each->state == "exited" || each->state == "dead";
        const int code = each->exit_code.value_or(0);
        switch (condition) {
            case StartCondition::started:
                all = all && each->started_ms != 0;
                break;
            case StartCondition::healthy:
                if (each->health == "unhealthy") return fail("is unhealthy");
                if (ended)
                    return fail("exits with code " + std::to_string(code) + " instead of becoming healthy");
                // A container without a health check is as good as it gets once it runs.
                all = all && each->state == "running" && (each->health == "healthy" || each->health.empty());
                break;
            case StartCondition::completed:
                if (ended && code != 0)
                    return fail("exits with code " + std::to_string(code) + " instead of completing");
                all = all && ended;
                break;
        }
    }
    if (all) out.verdict = Verdict::passed;
    return out;
}

std::vector<ObservedService> observed_services(
    const std::vector<ContainerState>& containers,
    const std::string& network,
    const std::map<std::string, int>& last_exit
) {
    std::map<std::string, int> counts;
    for (const ContainerState& container : containers) ++counts[label_of(container, label::kService)];
    std::vector<ObservedService> out;
    out.reserve(containers.size());
    for (const ContainerState& container : containers) {
        ObservedService service;
        service.service = service_title(container, counts[label_of(container, label::kService)] > 1);
        service.container = container.id;
        service.name = container.name;
        service.state = container.state;
        service.health = container.health;
        service.exit_code = exit_code_of(container, last_exit);
        service.restarts = container.restarts;
        service.started_ms = container.started_ms;
        const auto ip = container.network_ips.find(network);
        if (ip != container.network_ips.end())
            service.ip = ip->second;
        else if (!container.network_ips.empty())
            service.ip = container.network_ips.begin()->second;
        service.ports = container.ports;
        service.image = container.image;
        service.image_id = container.image_id;
        out.push_back(std::move(service));
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::string reason_code_of(const Error& error) {
    if (error.code == rollout_errc::exits) return "container.exits";
    if (error.code == rollout_errc::unhealthy) return "container.unhealthy";
    if (error.code == rollout_errc::dependency_failed) return "dependency.failed";
    if (error.code == rollout_errc::waits) return "update.waits";
    if (error.code.category() != engine_domain()) {
        return error.code == errc::invalid ? "spec.invalid" : stable_code(error);
    }
    switch (static_cast<engine_errc>(error.code.value())) {
        case engine_errc::unreachable:
            return "engine.unreachable";
        case engine_errc::not_found:
            return "engine.not_found";
        case engine_errc::conflict:
            return "engine.conflict";
        case engine_errc::port_taken:
            return "port.taken";
        case engine_errc::image_not_found:
            return "image.not_found";
        case engine_errc::image_denied:
            return "image.denied";
        case engine_errc::wrong_architecture:
            return "image.wrong_architecture";
        case engine_errc::no_space:
            return "node.no_space";
        case engine_errc::refused:
            return "engine.refused";
        case engine_errc::failed:
            return "engine.failed";
    }
    return "engine.failed";
}

bool may_heal(const Error& error) {
    return error.code != errc::invalid;
}

}  // namespace icos::agent
