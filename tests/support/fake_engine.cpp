// SPDX-License-Identifier: Apache-2.0
#include "fake_engine.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace icos::test {

using namespace agent;
namespace json = boost::json;

namespace {

const json::object* object_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? nullptr : value->if_object();
}

std::string text_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return {};
    return std::string(value->get_string().c_str());
}

LabelMap labels_of(const json::object& body) {
    LabelMap labels;
    if (const json::object* found = object_at(body, "Labels")) {
        for (const auto& [key, value] : *found) {
            if (value.is_string()) labels[std::string(key)] = value.get_string().c_str();
        }
    }
    return labels;
}

bool has_labels(const LabelMap& labels, const LabelMap& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& entry) {
        const auto found = labels.find(entry.first);
        return found != labels.end() && (entry.second.empty() || found->second == entry.second);
    });
}

}  // namespace

struct FakeEngine::EventQueue {
    explicit EventQueue(Runtime& runtime) : ready(runtime) {}
    std::deque<EngineEvent> events;
    LabelMap labels;
    bool ended = false;
    Signal ready;
};

class FakeEngine::EventStream final : public EngineStream<EngineEvent> {
public:
    explicit EventStream(std::shared_ptr<EventQueue> queue) : queue_(std::move(queue)) {}
    Task<Result<std::optional<EngineEvent>>> next() override { return next(queue_); }

private:
    static Task<Result<std::optional<EngineEvent>>> next(std::shared_ptr<EventQueue> queue) {
        while (queue->events.empty()) {
            if (queue->ended) co_return std::optional<EngineEvent>();
            co_await queue->ready.wait();
        }
        std::optional<EngineEvent> event = std::move(queue->events.front());
        queue->events.pop_front();
        co_return event;
    }
    std::shared_ptr<EventQueue> queue_;
};

class FakeEngine::LogStream final : public EngineStream<LogLine> {
public:
    LogStream(Runtime& runtime, std::deque<LogLine> lines, bool follow)
        : lines_(std::move(lines)), follow_(follow), never_(runtime) {}
    Task<Result<std::optional<LogLine>>> next() override {
        if (lines_.empty()) {
            if (follow_) co_await never_.wait();
            co_return std::optional<LogLine>();
        }
        std::optional<LogLine> line = std::move(lines_.front());
        lines_.pop_front();
        co_return line;
    }

private:
    std::deque<LogLine> lines_;
    bool follow_;
    Signal never_;
};

/// Says its command line on standard output and ends with 0; "fail" as the command ends with 3.
class FakeEngine::Exec final : public ExecSession {
public:
    explicit Exec(ExecQuery query) : query_(std::move(query)) {
        std::string line;
        for (const std::string& word : query_.command) line += (line.empty() ? "" : " ") + word;
        output_.push_back({false, line + "\n"});
    }
    Task<Result<std::optional<Output>>> read() override {
        if (output_.empty()) co_return std::optional<Output>();
        std::optional<Output> piece = std::move(output_.front());
        output_.pop_front();
        co_return piece;
    }
    Task<Result<void>> write(std::string input) override {
        output_.push_back({false, std::move(input)});
        co_return Result<void>();
    }
    void close_input() override {}
    Task<Result<void>> resize(std::uint32_t, std::uint32_t) override { co_return Result<void>(); }
    Task<Result<int>> exit_code() override { co_return query_.command.front() == "fail" ? 3 : 0; }

private:
    ExecQuery query_;
    std::deque<Output> output_;
};

FakeEngine::FakeEngine(Runtime& runtime) : runtime_(runtime) {}
FakeEngine::~FakeEngine() = default;

void FakeEngine::fail_next(std::string operation, std::string subject, Error error) {
    failures_.push_back({std::move(operation), std::move(subject), std::move(error)});
}

void FakeEngine::add_image(const std::string& reference, const std::string& arch) {
    images[reference] = ImageState{"sha256:" + reference, arch, {}};
}

void FakeEngine::add_to_registry(const std::string& reference, const std::string& arch) {
    registry[reference] = ImageState{"sha256:" + reference, arch, {reference + "@sha256:0"}};
}

std::vector<std::string> FakeEngine::names(const std::string& state) const {
    std::vector<std::string> out;
    for (const auto& [id, container] : containers_) {
        if (state.empty() || container.state.state == state) out.push_back(container.state.name);
    }
    std::sort(out.begin(), out.end());
    return out;
}

const FakeEngine::Container* FakeEngine::by_name(const std::string& name) const {
    for (const auto& [id, container] : containers_) {
        if (container.state.name == name) return &container;
    }
    return nullptr;
}

std::uint64_t FakeEngine::count(const std::string& operation) const {
    const auto found = counts_.find(operation);
    return found == counts_.end() ? 0 : found->second;
}

FakeEngine::Container* FakeEngine::find(const std::string& id_or_name) {
    const auto found = containers_.find(id_or_name);
    if (found != containers_.end()) return &found->second;
    for (auto& [id, container] : containers_) {
        if (container.state.name == id_or_name) return &container;
    }
    return nullptr;
}

std::string FakeEngine::next_id() {
    std::string digits = std::to_string(++ids_);
    return "c" + std::string(digits.size() < 11 ? 11 - digits.size() : 0, '0') + digits;
}

Task<Result<void>> FakeEngine::enter(std::string operation, std::string subject) {
    ++counts_[operation];
    if (latency.count() > 0) co_await sleep_for(runtime_, latency);
    if (!available) co_return Error{engine_errc::unreachable, "the engine does not answer"};
    const auto failure = std::find_if(failures_.begin(), failures_.end(), [&](const Failure& f) {
        return f.operation == operation && subject.find(f.subject) != std::string::npos;
    });
    if (failure != failures_.end()) {
        Error error = std::move(failure->error);
        failures_.erase(failure);
        co_return error;
    }
    co_return Result<void>();
}

void FakeEngine::emit(const std::string& action, const Container& container) {
    EngineEvent event{
        "container", action, container.state.id, container.state.labels, to_ms(runtime_.wall())
    };
    event.attributes["name"] = container.state.name;
    event.attributes["image"] = container.state.image;
    listeners_.remove_if([](const auto& weak) { return weak.expired(); });
    for (const auto& weak : listeners_) {
        const auto queue = weak.lock();
        if (!queue || !has_labels(container.state.labels, queue->labels)) continue;
        queue->events.push_back(event);
        queue->ready.notify();
    }
}

void FakeEngine::after(Container& container, Duration delay, std::function<void(Container&)> then) {
    const std::string id = container.state.id;
    const std::uint64_t during = container.run;
    container.timers.push_back(runtime_.schedule(delay, [this, id, during, then = std::move(then)] {
        Container* found = find(id);
        if (found != nullptr && found->run == during) then(*found);
    }));
}

/// Docker's words for a Mount whose source is not there; empty when all are.
std::string FakeEngine::missing_mount(const json::object& body) const {
    const json::object* host = object_at(body, "HostConfig");
    const json::value* mounts = host == nullptr ? nullptr : host->if_contains("Mounts");
    if (!has_host_path || mounts == nullptr || !mounts->is_array()) return {};
    for (const json::value& mount : mounts->get_array()) {
        const json::object& entry = mount.as_object();
        const std::string source = text_at(entry, "Source");
        if (text_at(entry, "Type") == "bind" && !has_host_path(source))
            return "invalid mount config for type \"bind\": bind source path does not exist: " + source;
    }
    return {};
}

void FakeEngine::run(Container& container, bool by_policy) {
    if (const std::string missing = missing_mount(container.body); !missing.empty()) {
        container.state.state = "exited";
        container.state.exit_code = 128;
        container.state.error = missing;
        return;
    }
    ++container.run;
    container.state.state = "running";
    container.state.exit_code.reset();
    container.state.started_ms = to_ms(runtime_.wall());
    if (by_policy) ++container.state.restarts;
    const ImageBehaviour behaviour = behaviours[container.state.image];
    container.state.health = container.has_health_check ? "starting" : "";
    emit("start", container);
    if (container.has_health_check) {
        after(container, behaviour.healthy_after, [this, sick = behaviour.never_healthy](Container& c) {
            set_health(c.state.id, sick ? "unhealthy" : "healthy");
        });
    }
    if (behaviour.exits_with) {
        after(container, behaviour.exits_after, [this, code = *behaviour.exits_with](Container& c) {
            ended(c, code);
        });
    }
}

void FakeEngine::ended(Container& container, int exit_code) {
    if (container.state.state != "running") return;
    ++container.run;
    container.state.state = "exited";
    container.state.health.clear();
    container.state.exit_code = exit_code;
    container.state.finished_ms = to_ms(runtime_.wall());
    emit("die", container);
    if (container.stopped_by_hand) return;
    const std::string& policy = container.restart_policy;
    const bool retry = policy == "on-failure" && exit_code != 0 &&
                       (container.max_retries == 0 || container.state.restarts < container.max_retries);
    if (policy != "always" && policy != "unless-stopped" && !retry) return;
    container.state.state = "restarting";
    const Duration delay(
        std::min<std::int64_t>(100LL << std::min<std::uint32_t>(container.state.restarts, 9), 60'000)
    );
    after(container, delay, [this](Container& c) { run(c, true); });
}

void FakeEngine::die(const std::string& id, int exit_code) {
    if (Container* container = find(id)) ended(*container, exit_code);
}

void FakeEngine::set_health(const std::string& id, std::string health) {
    Container* container = find(id);
    if (container == nullptr || container->state.state != "running") return;
    container->state.health = std::move(health);
    emit("health_status: " + container->state.health, *container);
}

void FakeEngine::restart_engine() {
    for (const auto& weak : listeners_) {
        if (const auto queue = weak.lock()) {
            queue->ended = true;
            queue->ready.notify();
        }
    }
    listeners_.clear();
    for (auto& [id, container] : containers_) {
        const bool was_up = container.state.state == "running" || container.state.state == "restarting";
        const bool always = container.restart_policy == "always" && container.state.started_ms != 0;
        const bool unless =
            container.restart_policy == "unless-stopped" && !container.stopped_by_hand && was_up;
        if (was_up) {
            ++container.run;
            container.state.state = "exited";
            container.state.health.clear();
            container.state.exit_code = 137;
            container.state.finished_ms = to_ms(runtime_.wall());
        }
        if (always || unless) run(container, false);
    }
}

Task<Result<EngineInfo>> FakeEngine::info() {
    const Result<void> entered = co_await enter("info", "");
    if (entered.has_error()) co_return entered.error();
    co_return EngineInfo{"docker", "20.10.24", "1.41", architecture, "FAKE:ENGINE", data_root};
}

Task<Result<std::vector<ContainerState>>> FakeEngine::containers(LabelMap labels) {
    const Result<void> entered = co_await enter("containers", "");
    if (entered.has_error()) co_return entered.error();
    std::vector<ContainerState> out;
    for (const auto& [id, container] : containers_) {
        if (has_labels(container.state.labels, labels)) out.push_back(container.state);
    }
    co_return out;
}

Task<Result<ContainerState>> FakeEngine::inspect(std::string id) {
    const Result<void> entered = co_await enter("inspect", id);
    if (entered.has_error()) co_return entered.error();
    const Container* container = find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    co_return container->state;
}

Task<Result<std::string>> FakeEngine::create_container(std::string name, json::object body) {
    const Result<void> entered = co_await enter("create", name);
    if (entered.has_error()) co_return entered.error();
    if (by_name(name) != nullptr) co_return Error{engine_errc::conflict, "the name " + name + " is in use"};
    const std::string reference = text_at(body, "Image");
    auto image = std::find_if(images.begin(), images.end(), [&](const auto& entry) {
        return entry.first == reference || entry.second.id == reference;
    });
    if (image == images.end()) co_return Error{engine_errc::image_not_found, "no such image: " + reference};
    if (const std::string missing = missing_mount(body); !missing.empty())
        co_return Error{engine_errc::refused, missing};
    Container container;
    container.state.id = next_id();
    container.state.name = name;
    container.state.image = image->first;
    container.state.image_id = image->second.id;
    container.state.state = "created";
    container.state.labels = labels_of(body);
    if (const json::object* check = object_at(body, "Healthcheck")) {
        const json::value* test = check->if_contains("Test");
        container.has_health_check = test != nullptr && test->is_array() && !test->get_array().empty() &&
                                     test->get_array().front() != json::value("NONE");
    }
    if (const json::object* host = object_at(body, "HostConfig")) {
        if (const json::object* policy = object_at(*host, "RestartPolicy")) {
            if (const std::string word = text_at(*policy, "Name"); !word.empty())
                container.restart_policy = word;
            if (const json::value* most = policy->if_contains("MaximumRetryCount");
                most != nullptr && most->is_int64()) {
                container.max_retries = static_cast<std::uint32_t>(most->get_int64());
            }
        }
        if (const json::object* bindings = object_at(*host, "PortBindings")) {
            for (const auto& [port, list] : *bindings) {
                if (!list.is_array()) continue;
                for (const json::value& binding : list.get_array()) {
                    const std::string host_port = text_at(binding.as_object(), "HostPort");
                    if (!host_port.empty() && host_port != "0") container.host_ports.push_back(host_port);
                }
            }
        }
        if (const std::string mode = text_at(*host, "NetworkMode"); networks_.contains(mode))
            container.networks.insert(mode);
        if (const json::value* mounts = host->if_contains("Mounts");
            mounts != nullptr && mounts->is_array()) {
            for (const json::value& mount : mounts->get_array()) {
                if (text_at(mount.as_object(), "Type") == "volume") {
                    container.volumes.insert(text_at(mount.as_object(), "Source"));
                }
            }
        }
    }
    if (const json::object* networking = object_at(body, "NetworkingConfig")) {
        if (const json::object* endpoints = object_at(*networking, "EndpointsConfig")) {
            for (const auto& [network, endpoint] : *endpoints)
                container.networks.insert(std::string(network));
        }
    }
    journal.push_back("create " + name);
    const std::string id = container.state.id;
    const auto placed = containers_.emplace(id, std::move(container)).first;
    placed->second.body = std::move(body);
    emit("create", placed->second);
    co_return id;
}

Task<Result<void>> FakeEngine::start(std::string id) {
    const Container* named = find(id);
    const Result<void> entered = co_await enter("start", named == nullptr ? id : named->state.name);
    if (entered.has_error()) co_return entered;
    Container* container = find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    if (container->state.state == "running") co_return Result<void>();
    const ImageBehaviour& behaviour = behaviours[container->state.image];
    if (!behaviour.start_error.empty()) {
        container->state.error = behaviour.start_error;
        co_return Error{engine_errc::refused, behaviour.start_error};
    }
    for (const auto& [other_id, other] : containers_) {
        if (&other == container || (other.state.state != "running" && other.state.state != "restarting"))
            continue;
        for (const std::string& port : other.host_ports) {
            if (std::find(container->host_ports.begin(), container->host_ports.end(), port) !=
                container->host_ports.end()) {
                container->state.error = "port is already allocated";
                co_return Error{
                    engine_errc::port_taken, "port " + port + " is already allocated by " + other.state.name
                };
            }
        }
    }
    journal.push_back("start " + container->state.name);
    container->stopped_by_hand = false;
    container->state.restarts = 0;
    container->state.error.clear();
    int last = 2;
    for (const std::string& network : container->networks) {
        container->state.network_ips[network] = "172.18.0." + std::to_string(last++);
    }
    run(*container, false);
    co_return Result<void>();
}

/// Works while the engine is away: that is what it is for.
Task<Result<bool>> FakeEngine::kill_processes(std::string id) {
    Container* container = find(id);
    if (container == nullptr || container->state.state != "running") co_return false;
    journal.push_back("kill " + container->state.name);
    ended(*container, 137);
    co_return true;
}

Task<Result<void>> FakeEngine::stop(std::string id, Duration) {
    const Container* named = find(id);
    const Result<void> entered = co_await enter("stop", named == nullptr ? id : named->state.name);
    if (entered.has_error()) co_return entered;
    Container* container = find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    container->stopped_by_hand = true;
    if (container->state.state == "running" || container->state.state == "restarting") {
        journal.push_back("stop " + container->state.name);
        container->state.state = "running";
        ended(*container, 143);
    }
    co_return Result<void>();
}

Task<Result<void>> FakeEngine::remove_container(std::string id) {
    const Container* named = find(id);
    const Result<void> entered = co_await enter("remove", named == nullptr ? id : named->state.name);
    if (entered.has_error()) co_return entered;
    Container* container = find(id);
    if (container == nullptr) co_return Result<void>();
    container->stopped_by_hand = true;
    if (container->state.state == "running") ended(*container, 137);
    journal.push_back("remove " + container->state.name);
    emit("destroy", *container);
    containers_.erase(container->state.id);
    co_return Result<void>();
}

Task<Result<void>> FakeEngine::rename(std::string id, std::string name) {
    const Result<void> entered = co_await enter("rename", name);
    if (entered.has_error()) co_return entered;
    Container* container = find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    if (by_name(name) != nullptr) co_return Error{engine_errc::conflict, "the name " + name + " is in use"};
    journal.push_back("rename " + container->state.name + " " + name);
    container->state.name = std::move(name);
    co_return Result<void>();
}

Task<Result<void>> FakeEngine::put_archive(std::string id, std::string path, std::string tar) {
    const Result<void> entered = co_await enter("put_archive", id);
    if (entered.has_error()) co_return entered;
    Container* container = find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    container->archives[path] = std::move(tar);
    co_return Result<void>();
}

Task<Result<std::vector<std::string>>> FakeEngine::networks(LabelMap labels) {
    const Result<void> entered = co_await enter("networks", "");
    if (entered.has_error()) co_return entered.error();
    std::vector<std::string> out;
    for (const auto& [name, own] : networks_) {
        if (has_labels(own, labels)) out.push_back(name);
    }
    co_return out;
}

Task<Result<void>> FakeEngine::create_network(std::string name, json::object body) {
    const Result<void> entered = co_await enter("create_network", name);
    if (entered.has_error()) co_return entered;
    if (networks_.emplace(name, labels_of(body)).second) journal.push_back("create_network " + name);
    co_return Result<void>();
}

Task<Result<std::string>> FakeEngine::gateway(std::string network) {
    const Result<void> entered = co_await enter("gateway", network);
    if (entered.has_error()) co_return entered.error();
    if (!networks_.contains(network)) co_return Error{engine_errc::not_found, "no network " + network};
    co_return std::string("172.18.0.1");
}

Task<Result<void>> FakeEngine::remove_network(std::string name) {
    const Result<void> entered = co_await enter("remove_network", name);
    if (entered.has_error()) co_return entered;
    for (const auto& [id, container] : containers_) {
        if (container.state.state == "running" && container.networks.contains(name)) {
            co_return Error{engine_errc::conflict, "network " + name + " has active endpoints"};
        }
    }
    if (networks_.erase(name) != 0) journal.push_back("remove_network " + name);
    co_return Result<void>();
}

Task<Result<void>> FakeEngine::connect_network(std::string network, std::string id, json::object) {
    const Result<void> entered = co_await enter("connect_network", network);
    if (entered.has_error()) co_return entered;
    Container* container = find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    container->networks.insert(network);
    co_return Result<void>();
}

Task<Result<std::vector<std::string>>> FakeEngine::volumes(LabelMap labels) {
    const Result<void> entered = co_await enter("volumes", "");
    if (entered.has_error()) co_return entered.error();
    std::vector<std::string> out;
    for (const auto& [name, own] : volumes_) {
        if (has_labels(own, labels)) out.push_back(name);
    }
    co_return out;
}

Task<Result<void>> FakeEngine::create_volume(std::string name, json::object body) {
    const Result<void> entered = co_await enter("create_volume", name);
    if (entered.has_error()) co_return entered;
    if (volumes_.emplace(name, labels_of(body)).second) journal.push_back("create_volume " + name);
    co_return Result<void>();
}

Task<Result<void>> FakeEngine::remove_volume(std::string name) {
    const Result<void> entered = co_await enter("remove_volume", name);
    if (entered.has_error()) co_return entered;
    for (const auto& [id, container] : containers_) {
        if (container.volumes.contains(name))
            co_return Error{engine_errc::conflict, "volume " + name + " is in use"};
    }
    if (volumes_.erase(name) != 0) journal.push_back("remove_volume " + name);
    co_return Result<void>();
}

Task<Result<ImageState>> FakeEngine::image(std::string reference) {
    const Result<void> entered = co_await enter("image", reference);
    if (entered.has_error()) co_return entered.error();
    for (const auto& [name, state] : images) {
        if (name == reference || state.id == reference) co_return state;
    }
    co_return Error{engine_errc::image_not_found, "no such image: " + reference};
}

Task<Result<void>> FakeEngine::remove_image(std::string reference) {
    const Result<void> entered = co_await enter("remove_image", reference);
    if (entered.has_error()) co_return entered;
    for (const auto& [id, container] : containers_) {
        if (container.state.image == reference || container.state.image_id == reference)
            co_return Error{engine_errc::conflict, "image " + reference + " is in use"};
    }
    const auto removed = std::erase_if(images, [&reference](const auto& image) {
        return image.first == reference || image.second.id == reference;
    });
    if (removed != 0) journal.push_back("remove_image " + reference);
    co_return Result<void>();
}

Task<Result<bool>> FakeEngine::has_path(std::string container, std::string path) {
    const Result<void> entered = co_await enter("has_path", container);
    if (entered.has_error()) co_return entered.error();
    const Container* found = find(container);
    co_return found != nullptr&& paths.contains(found->state.name + ":" + path);
}

Task<Result<void>> FakeEngine::pull(std::string reference, std::string, PullProgress progress) {
    const Result<void> entered = co_await enter("pull", reference);
    if (entered.has_error()) co_return entered;
    if (!registry_reachable)
        co_return Error{engine_errc::failed, "the registry of " + reference + " does not answer"};
    const auto found = registry.find(reference);
    if (found == registry.end())
        co_return Error{engine_errc::image_not_found, "manifest for " + reference + " not found"};
    for (std::uint64_t quarter = 1; quarter <= 4; ++quarter) {
        if (pull_time.count() > 0) co_await sleep_for(runtime_, pull_time / 4);
        if (progress) progress(quarter * 1'000'000, 4'000'000);
    }
    images[reference] = found->second;
    journal.push_back("pull " + reference);
    co_return Result<void>();
}

Task<Result<std::unique_ptr<EngineStream<EngineEvent>>>> FakeEngine::events(LabelMap labels) {
    const Result<void> entered = co_await enter("events", "");
    if (entered.has_error()) co_return entered.error();
    auto queue = std::make_shared<EventQueue>(runtime_);
    queue->labels = std::move(labels);
    listeners_.push_back(queue);
    std::unique_ptr<EngineStream<EngineEvent>> stream = std::make_unique<EventStream>(std::move(queue));
    co_return stream;
}

Task<Result<std::unique_ptr<EngineStream<LogLine>>>> FakeEngine::logs(std::string id, LogQuery query) {
    const Result<void> entered = co_await enter("logs", id);
    if (entered.has_error()) co_return entered.error();
    const Container* container = find(id);
    if (container == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    std::deque<LogLine> lines;
    for (const LogLine& line : log_lines[container->state.name]) {
        if (!query.since_ms || line.at_ms >= *query.since_ms) lines.push_back(line);
    }
    while (query.tail && lines.size() > *query.tail) lines.pop_front();
    std::unique_ptr<EngineStream<LogLine>> stream =
        std::make_unique<LogStream>(runtime_, std::move(lines), query.follow);
    co_return stream;
}

Task<Result<std::unique_ptr<ExecSession>>> FakeEngine::exec(std::string id, ExecQuery query) {
    const Result<void> entered = co_await enter("exec", id);
    if (entered.has_error()) co_return entered.error();
    if (find(id) == nullptr) co_return Error{engine_errc::not_found, "no such container: " + id};
    std::unique_ptr<ExecSession> session = std::make_unique<Exec>(std::move(query));
    co_return session;
}

}  // namespace icos::test
