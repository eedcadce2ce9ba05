// SPDX-License-Identifier: Apache-2.0
#include "sim_engine.hpp"

#include "icos/async/signal.hpp"
#include "sim_engine_queue.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <utility>

namespace icos::sim {

using agent::engine_errc;
namespace json = boost::json;

namespace {

const json::object* object_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? nullptr : value->if_object();
}

const json::array* array_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? nullptr : value->if_array();
}

std::string text_of(const json::value& value) {
    return value.is_string() ? std::string(value.get_string()) : std::string();
}

std::string text_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? std::string() : text_of(*value);
}

void read_host_config(const json::object& host, SimContainer& container) {
    if (const json::object* policy = object_at(host, "RestartPolicy")) {
        if (std::string word = text_at(*policy, "Name"); !word.empty())
            container.restart_policy = std::move(word);
        const json::value* most = policy->if_contains("MaximumRetryCount");
        if (most != nullptr && most->is_int64()) {
            container.max_retries = static_cast<std::uint32_t>(most->get_int64());
        }
    }
    if (const json::object* bindings = object_at(host, "PortBindings")) {
        for (const auto& [port, list] : *bindings) {
            if (!list.is_array()) continue;
            for (const json::value& binding : list.get_array()) {
                const std::string number = text_at(binding.as_object(), "HostPort");
                if (!number.empty() && number != "0") container.host_ports.insert(number);
            }
        }
    }
    if (const json::array* mounts = array_at(host, "Mounts")) {
        for (const json::value& mount : *mounts) {
            if (text_at(mount.as_object(), "Type") == "volume") {
                container.volumes.insert(text_at(mount.as_object(), "Source"));
            } else if (text_at(mount.as_object(), "Type") == "bind") {
                container.bind_sources.push_back(text_at(mount.as_object(), "Source"));
            }
        }
    }
    if (const json::array* binds = array_at(host, "Binds")) {
        for (const json::value& bind : *binds) {
            const std::string text = text_of(bind);
            if (!text.starts_with('/')) container.volumes.insert(text.substr(0, text.find(':')));
        }
    }
}

}  // namespace

std::string SimContainer::label(const std::string& key) const {
    const auto it = state.labels.find(key);
    return it == state.labels.end() ? std::string() : it->second;
}

ImageTraits traits_of(const std::string& reference) {
    ImageTraits traits;
    const auto is = [&](std::string_view word) { return reference.find(word) != std::string::npos; };
    if (is("/slow")) traits.pull_time = 60s;
    if (is("/absent")) traits.exists = false;
    if (is("/crash")) traits.exits_with = 1;
    if (is("/job")) traits.exits_with = 0;
    if (is("/sick")) traits.never_healthy = true;
    return traits;
}

SimEngine::SimEngine(World& world, Machine& machine)
    : world_(world), machine_(machine), rng_(world.rng().fork(machine.name + " engine")) {}
SimEngine::~SimEngine() = default;

std::int64_t SimEngine::now_ms() const {
    return machine_.wall_at_start.count() + std::chrono::duration_cast<Duration>(world_.now()).count();
}

SimContainer* SimEngine::find(const std::string& id_or_name) {
    const auto found = containers_.find(id_or_name);
    if (found != containers_.end()) return &found->second;
    for (auto& [id, container] : containers_) {
        if (container.state.name == id_or_name) return &container;
    }
    return nullptr;
}

Result<std::string> SimEngine::create(const std::string& name, const json::object& body) {
    if (find(name) != nullptr) return Error{engine_errc::conflict, "the name " + name + " is in use"};
    const std::string reference = text_at(body, "Image");
    const auto image = std::find_if(images_.begin(), images_.end(), [&](const auto& entry) {
        return entry.first == reference || entry.second.id == reference;
    });
    if (image == images_.end()) return Error{engine_errc::image_not_found, "no such image: " + reference};

    SimContainer container;
    std::string id = std::to_string(++ids_);
    id = machine_.name + "-c" + std::string(id.size() < 5 ? 5 - id.size() : 0, '0') + id;
    container.state.id = id;
    container.state.name = name;
    container.state.image = image->first;
    container.state.image_id = image->second.id;
    container.state.state = "created";
    if (const json::object* labels = object_at(body, "Labels")) {
        for (const auto& [key, value] : *labels) container.state.labels[std::string(key)] = text_of(value);
    }
    if (const json::array* environment = array_at(body, "Env")) {
        for (const json::value& entry : *environment) {
            const std::string text = text_of(entry);
            if (text.starts_with("REV=")) container.revision = text.substr(4);
        }
    }
    if (const json::object* check = object_at(body, "Healthcheck")) {
        const json::array* test = array_at(*check, "Test");
        container.has_health_check = test != nullptr && !test->empty() && text_of(test->front()) != "NONE";
    }
    if (const json::object* host = object_at(body, "HostConfig")) {
        read_host_config(*host, container);
        if (const std::string mode = text_at(*host, "NetworkMode"); networks_.contains(mode)) {
            container.networks.insert(mode);
        }
    }
    if (const json::object* networking = object_at(body, "NetworkingConfig")) {
        if (const json::object* endpoints = object_at(*networking, "EndpointsConfig")) {
            for (const auto& [network, endpoint] : *endpoints)
                container.networks.insert(std::string(network));
        }
    }
    for (const std::string& network : container.networks) {
        if (!networks_.contains(network)) return Error{engine_errc::not_found, "no such network: " + network};
    }
    const SimContainer& placed = containers_.emplace(id, std::move(container)).first->second;
    tell(Act::created, placed, true);
    emit("create", placed);
    return id;
}

Result<void> SimEngine::may_start(const SimContainer& container) const {
    for (const std::string& source : container.bind_sources) {
        if (!has_path_ || has_path_(source)) continue;
        return Error{engine_errc::refused, "bind source path does not exist: " + source};
    }
    for (const auto& [id, other] : containers_) {
        if (&other == &container || !other.is_up()) continue;
        for (const std::string& port : container.host_ports) {
            if (!other.host_ports.contains(port)) continue;
            return Error{engine_errc::port_taken, "port " + port + " is already allocated"};
        }
    }
    return {};
}

Result<void> SimEngine::start(const std::string& id) {
    SimContainer* container = find(id);
    if (container == nullptr) return Error{engine_errc::not_found, "no such container: " + id};
    if (container->state.state == "running") return {};
    Result<void> free = may_start(*container);
    if (free.has_error()) {
        container->state.error = free.error().detail;
        return free;
    }
    container->stopped_by_hand = false;
    container->state.restarts = 0;
    container->state.error.clear();
    run(*container, Act::started, true);
    return {};
}

void SimEngine::run(SimContainer& container, Act act, bool by_agent) {
    ++container.run;
    container.state.state = "running";
    container.state.exit_code.reset();
    container.state.started_ms = now_ms();
    container.state.health = container.has_health_check ? "starting" : "";
    container.state.network_ips.clear();
    for (const std::string& network : container.networks) container.state.network_ips[network] = "172.18.0.2";
    tell(act, container, by_agent);
    emit("start", container);
    const ImageTraits traits = traits_of(container.state.image);
    if (container.has_health_check) {
        later(container, std::chrono::milliseconds(rng_.between(500, 6000)), [this, traits](SimContainer& c) {
            c.state.health = traits.never_healthy ? "unhealthy" : "healthy";
            tell(Act::health, c, false);
            emit("health_status: " + c.state.health, c);
        });
    }
    if (traits.exits_with) {
        later(container, traits.exits_after, [this, traits](SimContainer& c) {
            ended(c, *traits.exits_with);
        });
    }
}

void SimEngine::ended(SimContainer& container, int exit_code) {
    if (container.state.state != "running") return;
    ++container.run;
    container.state.state = "exited";
    container.state.health.clear();
    container.state.exit_code = exit_code;
    container.state.finished_ms = now_ms();
    container.state.network_ips.clear();
    tell(Act::died, container, false);
    emit("die", container);
    if (container.stopped_by_hand) return;
    const std::string& policy = container.restart_policy;
    const bool retry = policy == "on-failure" && exit_code != 0 &&
                       (container.max_retries == 0 || container.state.restarts < container.max_retries);
    if (policy != "always" && policy != "unless-stopped" && !retry) return;
    container.state.state = "restarting";
    const auto delay =
        std::chrono::milliseconds(100LL << std::min<std::uint32_t>(container.state.restarts, 9));
    later(container, std::min<SimTime>(delay, 60s), [this](SimContainer& c) {
        ++c.state.restarts;
        if (may_start(c).has_error()) {
            c.state.state = "exited";
            return;
        }
        run(c, Act::restarted_by_engine, false);
    });
}

Result<void> SimEngine::stop(const std::string& id) {
    SimContainer* container = find(id);
    if (container == nullptr) return Error{engine_errc::not_found, "no such container: " + id};
    if (!container->is_up()) return {};
    tell(Act::stopped, *container, true);
    container->stopped_by_hand = true;
    if (container->state.state == "running") {
        ended(*container, 143);
    } else {
        ++container->run;
        container->state.state = "exited";
    }
    emit("stop", *container);
    return {};
}

bool SimEngine::kill_processes(const std::string& id) {
    SimContainer* container = find(id);
    if (container == nullptr || container->state.state != "running") return false;
    tell(Act::stopped, *container, true);
    ended(*container, 137);
    return true;
}

Result<void> SimEngine::remove(const std::string& id) {
    SimContainer* container = find(id);
    if (container == nullptr) return {};
    tell(Act::removed, *container, true);
    if (container->state.state == "running") {
        container->stopped_by_hand = true;
        ended(*container, 137);
    }
    const SimContainer gone = *container;
    containers_.erase(gone.state.id);
    emit("destroy", gone);
    return {};
}

void SimEngine::later(const SimContainer& container, SimTime delay, std::function<void(SimContainer&)> then) {
    world_.after(
        delay,
        nullptr,
        [this, id = container.state.id, during = container.run, then = std::move(then)] {
            const auto found = containers_.find(id);
            if (found != containers_.end() && found->second.run == during) then(found->second);
        }
    );
}

void SimEngine::tell(Act act, const SimContainer& container, bool by_agent) {
    static constexpr const char* kWords[] = {
        "created", "started", "stopped", "removed", "renamed", "died", "restarted", "health", "lost power"
    };
    world_.trace(
        machine_.name + ": container " + container.state.id + " " + container.state.name + " rev " +
        container.revision + " " + kWords[static_cast<std::size_t>(act)] +
        (act == Act::health ? " " + container.state.health : std::string())
    );
    if (observer_) observer_(Change{act, container, by_agent});
}

void SimEngine::emit(const std::string& action, const SimContainer& container) {
    agent::EngineEvent event{"container", action, container.state.id, container.state.labels, now_ms()};
    event.attributes["name"] = container.state.name;
    event.attributes["image"] = container.state.image;
    listeners_.remove_if([](const auto& weak) { return weak.expired(); });
    for (const auto& weak : listeners_) {
        const auto queue = weak.lock();
        if (!queue || queue->process.dead() || !carries(container.state.labels, queue->labels)) continue;
        queue->events.push_back(event);
        queue->ready.notify();
        world_.wake(queue->process);
    }
}

void SimEngine::end_streams() {
    for (const auto& weak : listeners_) {
        const auto queue = weak.lock();
        if (!queue) continue;
        queue->ended = true;
        queue->ready.notify();
        world_.wake(queue->process);
    }
    listeners_.clear();
}

void SimEngine::set_available(bool available) {
    available_ = available;
    if (!available) end_streams();
}

void SimEngine::end_all(int exit_code) {
    for (auto& [id, container] : containers_) {
        if (!container.is_up()) continue;
        ++container.run;
        container.state.state = "exited";
        container.state.health.clear();
        container.state.exit_code = exit_code;
        container.state.finished_ms = now_ms();
        container.state.network_ips.clear();
        tell(Act::lost_power, container, false);
    }
}

void SimEngine::start_by_policy() {
    for (auto& [id, container] : containers_) {
        if (container.is_up() || container.state.started_ms == 0) continue;
        const bool wanted = container.restart_policy == "always" ||
                            (container.restart_policy == "unless-stopped" && !container.stopped_by_hand);
        if (!wanted || may_start(container).has_error()) continue;
        run(container, Act::restarted_by_engine, false);
    }
}

void SimEngine::restart() {
    end_streams();
    end_all(137);
    start_by_policy();
}

bool SimEngine::kill_one() {
    std::vector<SimContainer*> running;
    for (auto& [id, container] : containers_) {
        if (container.state.state == "running") running.push_back(&container);
    }
    if (running.empty()) return false;
    ended(*running[rng_.below(running.size())], 137);
    return true;
}

void SimEngine::power_off() {
    end_streams();
    end_all(255);
    powered_ = false;
}

void SimEngine::power_on() {
    powered_ = true;
    start_by_policy();
}

}  // namespace icos::sim
