// SPDX-License-Identifier: Apache-2.0
#include "sim_engine.hpp"
#include "sim_engine_queue.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <utility>

namespace icos::sim {

using agent::engine_errc;
namespace json = boost::json;

namespace {

agent::LabelMap labels_of(const json::object& body) {
    agent::LabelMap labels;
    const json::value* found = body.if_contains("Labels");
    if (found == nullptr || !found->is_object()) return labels;
    for (const auto& [key, value] : found->get_object()) {
        if (value.is_string()) labels[std::string(key)] = std::string(value.get_string());
    }
    return labels;
}

Error unreachable() {
    return Error{engine_errc::unreachable, "the engine does not answer", "is it running?"};
}

class EmptyLog final : public agent::EngineStream<agent::LogLine> {
public:
    Task<Result<std::optional<agent::LogLine>>> next() override { co_return std::optional<agent::LogLine>(); }
};

}  // namespace

class SimEngineClient::EventStream final : public agent::EngineStream<agent::EngineEvent> {
public:
    explicit EventStream(std::shared_ptr<SimEngine::Queue> queue) : queue_(std::move(queue)) {}
    Task<Result<std::optional<agent::EngineEvent>>> next() override { return next_of(queue_); }

private:
    static Task<Result<std::optional<agent::EngineEvent>>> next_of(std::shared_ptr<SimEngine::Queue> queue) {
        while (queue->events.empty()) {
            if (queue->ended) co_return std::optional<agent::EngineEvent>();
            co_await queue->ready.wait();
        }
        std::optional<agent::EngineEvent> event = std::move(queue->events.front());
        queue->events.pop_front();
        co_return event;
    }
    std::shared_ptr<SimEngine::Queue> queue_;
};

SimEngineClient::SimEngineClient(SimEngine& engine, SimProcess& process)
    : engine_(engine), process_(process) {}

Task<Result<void>> SimEngineClient::enter(SimTime extra) {
    if (process_.dead()) co_return unreachable();
    const SimTime delay = std::chrono::microseconds(engine_.rng_.between(300, 8000)) + extra;
    co_await process_.pause(delay);
    if (process_.dead() || !engine_.available()) co_return unreachable();
    co_return Result<void>();
}

Task<> SimEngineClient::leave() {
    if (process_.dead()) co_return;
    const SimTime delay = std::chrono::microseconds(engine_.rng_.between(100, 4000));
    co_await process_.pause(delay);
}

Task<Result<agent::EngineInfo>> SimEngineClient::info() {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    co_return agent::EngineInfo{"docker", "24.0.7", "1.43", "x86_64", "engine-" + engine_.machine_.name};
}

Task<Result<std::vector<agent::ContainerState>>> SimEngineClient::containers(agent::LabelMap labels) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    std::vector<agent::ContainerState> found;
    for (const auto& [id, container] : engine_.containers_) {
        if (carries(container.state.labels, labels)) found.push_back(container.state);
    }
    // The list is of the moment it was made; the answer comes later.
    co_await leave();
    co_return found;
}

Task<Result<agent::ContainerState>> SimEngineClient::inspect(std::string id) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    const SimContainer* container = engine_.find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    agent::ContainerState state = container->state;
    co_await leave();
    co_return state;
}

Task<Result<std::string>> SimEngineClient::create_container(std::string name, json::object body) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    Result<std::string> created = engine_.create(name, body);
    co_await leave();
    co_return created;
}

Task<Result<void>> SimEngineClient::start(std::string id) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    Result<void> started = engine_.start(id);
    co_await leave();
    co_return started;
}

Task<Result<void>> SimEngineClient::stop(std::string id, Duration grace) {
    const SimTime ending = std::chrono::milliseconds(
        engine_.rng_.between(10, std::max<std::int64_t>(11, std::min<std::int64_t>(grace.count(), 3000)))
    );
    const Result<void> entered = co_await enter(ending);
    if (entered.has_error()) co_return entered;
    Result<void> stopped = engine_.stop(id);
    co_await leave();
    co_return stopped;
}

Task<Result<bool>> SimEngineClient::kill_processes(std::string id) {
    if (process_.dead()) co_return false;
    co_await process_.pause(std::chrono::milliseconds(engine_.rng_.between(2, 40)));
    co_return !process_.dead() && engine_.kill_processes(id);
}

Task<Result<void>> SimEngineClient::remove_container(std::string id) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    Result<void> removed = engine_.remove(id);
    co_await leave();
    co_return removed;
}

Task<Result<void>> SimEngineClient::rename(std::string id, std::string name) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    SimContainer* container = engine_.find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    const SimContainer* holder = engine_.find(name);
    if (holder != nullptr && holder != container) {
        co_return Error{engine_errc::conflict, "the name " + name + " is in use"};
    }
    container->state.name = name;
    engine_.tell(SimEngine::Act::renamed, *container, true);
    co_await leave();
    co_return Result<void>();
}

Task<Result<void>> SimEngineClient::put_archive(std::string id, std::string, std::string) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    if (engine_.find(id) == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    co_return Result<void>();
}

Task<Result<std::vector<std::string>>> SimEngineClient::networks(agent::LabelMap labels) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    std::vector<std::string> names;
    for (const auto& [name, network] : engine_.networks_) {
        if (carries(network.labels, labels)) names.push_back(name);
    }
    co_await leave();
    co_return names;
}

Task<Result<void>> SimEngineClient::create_network(std::string name, json::object body) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    engine_.networks_.emplace(name, SimEngine::Resource{labels_of(body)});
    engine_.network_names_.insert(name);
    co_await leave();
    co_return Result<void>();
}

Task<Result<std::string>> SimEngineClient::gateway(std::string network) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    if (!engine_.networks_.contains(network))
        co_return Error{engine_errc::not_found, "no such network: " + network};
    co_await leave();
    co_return std::string("172.18.0.1");
}

Task<Result<void>> SimEngineClient::remove_network(std::string name) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    for (const auto& [id, container] : engine_.containers_) {
        // As Docker: only containers that are up hold a network.
        if (container.is_up() && container.networks.contains(name)) {
            co_return Error{engine_errc::conflict, "network " + name + " has active endpoints"};
        }
    }
    engine_.networks_.erase(name);
    engine_.network_names_.erase(name);
    co_await leave();
    co_return Result<void>();
}

Task<Result<void>> SimEngineClient::connect_network(
    std::string network, std::string container, json::object
) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    SimContainer* found = engine_.find(container);
    if (found == nullptr) co_return Error{engine_errc::not_found, "no such container: " + container};
    if (!engine_.networks_.contains(network)) {
        co_return Error{engine_errc::not_found, "no such network: " + network};
    }
    found->networks.insert(network);
    if (found->state.state == "running") found->state.network_ips[network] = "172.18.0.2";
    co_await leave();
    co_return Result<void>();
}

Task<Result<std::vector<std::string>>> SimEngineClient::volumes(agent::LabelMap labels) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    std::vector<std::string> names;
    for (const auto& [name, volume] : engine_.volumes_) {
        if (carries(volume.labels, labels)) names.push_back(name);
    }
    co_await leave();
    co_return names;
}

Task<Result<void>> SimEngineClient::create_volume(std::string name, json::object body) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    engine_.volumes_.emplace(name, SimEngine::Resource{labels_of(body)});
    engine_.volume_names_.insert(name);
    co_await leave();
    co_return Result<void>();
}

Task<Result<void>> SimEngineClient::remove_volume(std::string name) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    for (const auto& [id, container] : engine_.containers_) {
        if (container.volumes.contains(name)) {
            co_return Error{
                engine_errc::conflict, "volume " + name + " is in use by " + container.state.name
            };
        }
    }
    engine_.volumes_.erase(name);
    engine_.volume_names_.erase(name);
    co_await leave();
    co_return Result<void>();
}

Task<Result<agent::ImageState>> SimEngineClient::image(std::string reference) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    const auto found = engine_.images_.find(reference);
    if (found == engine_.images_.end()) {
        co_return Error{engine_errc::image_not_found, "no such image: " + reference};
    }
    agent::ImageState state = found->second;
    co_await leave();
    co_return state;
}

Task<Result<void>> SimEngineClient::pull(std::string reference, std::string, agent::PullProgress progress) {
    const ImageTraits traits = traits_of(reference);
    constexpr int kSteps = 4;
    for (int step = 1; step <= kSteps; ++step) {
        const SimTime part = traits.pull_time / kSteps;
        const Result<void> entered = co_await enter(part);
        if (entered.has_error()) co_return entered;
        if (!engine_.registry_reachable_) {
            co_return Error{engine_errc::failed, "the registry does not answer", "check the node's network"};
        }
        if (!traits.exists) {
            co_return Error{engine_errc::image_not_found, "no registry has an image " + reference};
        }
        if (progress)
            progress(static_cast<std::uint64_t>(step) << 20U, static_cast<std::uint64_t>(kSteps) << 20U);
    }
    engine_.images_.emplace(
        reference, agent::ImageState{"sha256:" + reference, "x86_64", {reference + "@sha256:0"}}
    );
    co_return Result<void>();
}

Task<Result<void>> SimEngineClient::remove_image(std::string reference) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered;
    for (const auto& [id, container] : engine_.containers_) {
        if (container.state.image == reference || container.state.image_id == reference)
            co_return Error{engine_errc::conflict, "image " + reference + " is in use"};
    }
    std::erase_if(engine_.images_, [&reference](const auto& image) {
        return image.first == reference || image.second.id == reference;
    });
    co_await leave();
    co_return Result<void>();
}

Task<Result<bool>> SimEngineClient::has_path(std::string, std::string) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    co_return false;
}

Task<Result<std::unique_ptr<agent::EngineStream<agent::EngineEvent>>>> SimEngineClient::events(
    agent::LabelMap labels
) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    auto queue = std::make_shared<SimEngine::Queue>(process_, std::move(labels));
    engine_.listeners_.push_back(queue);
    std::unique_ptr<agent::EngineStream<agent::EngineEvent>> stream = std::make_unique<EventStream>(queue);
    co_await leave();
    co_return stream;
}

Task<Result<std::unique_ptr<agent::EngineStream<agent::LogLine>>>> SimEngineClient::logs(
    std::string id, agent::LogQuery
) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    if (engine_.find(id) == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    std::unique_ptr<agent::EngineStream<agent::LogLine>> stream = std::make_unique<EmptyLog>();
    co_return stream;
}

Task<Result<std::unique_ptr<agent::ExecSession>>> SimEngineClient::exec(std::string id, agent::ExecQuery) {
    const Result<void> entered = co_await enter();
    if (entered.has_error()) co_return entered.error();
    co_return Error{engine_errc::refused, "container " + id + " has no program that could be run"};
}

}  // namespace icos::sim
