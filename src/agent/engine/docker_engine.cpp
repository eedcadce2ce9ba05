// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/docker_engine.hpp"

#include "agent/engine/control_group.hpp"
#include "agent/engine/docker_api.hpp"
#include "agent/engine/docker_pull.hpp"
#include "agent/engine/docker_streams.hpp"
#include "agent/engine/engine_json.hpp"
#include "icos/agent/container_plan.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::agent {
namespace {

constexpr std::size_t kInspectsAtOnce = 8;
constexpr std::size_t kFilesAtOnce = 64U << 20U;

/// True if a network or volume that exists already is the one that was asked for.
bool same_owner(const LabelMap& wanted, const LabelMap& found, std::initializer_list<std::string_view> keys) {
    return std::all_of(keys.begin(), keys.end(), [&](std::string_view key) {
        const auto ours = wanted.find(std::string(key));
        if (ours == wanted.end()) return true;
        const auto theirs = found.find(std::string(key));
        return theirs != found.end() && theirs->second == ours->second;
    });
}

Error foreign(const std::string& what) {
    return Error{
        engine_errc::conflict,
        what + " exists already and belongs to something else",
        "remove or rename it, or rename the application"
    };
}

/// Inspections of one listing, done by a few workers.
struct Inspection {
    explicit Inspection(Runtime& runtime) : done(runtime) {}
    std::vector<std::string> ids;
    std::vector<std::optional<ContainerState>> states;
    std::optional<Error> error;
    std::size_t next = 0;
    std::size_t workers = 0;
    Signal done;
};

Task<Result<ContainerState>> inspect_container(std::shared_ptr<DockerApi> api, std::string id) {
    ApiCall call;
    call.path = container_path(id, "/json");
    call.doing = "inspect " + quoted("container", id);
    const Result<boost::json::value> answer = co_await DockerApi::json(api, std::move(call));
    if (answer.has_error()) co_return answer.error();
    co_return container_state(*answer);
}

Task<> inspect_some(std::shared_ptr<DockerApi> api, std::shared_ptr<Inspection> work) {
    while (work->next < work->ids.size() && !work->error) {
        const std::size_t index = work->next++;
        Result<ContainerState> state = co_await inspect_container(api, work->ids[index]);
        if (state.has_value()) {
            work->states[index] = std::move(*state);
        } else if (state.error().code != engine_errc::not_found) {
            work->error = state.error();
        }
    }
    --work->workers;
    work->done.notify();
}

class DockerEngine final : public Engine {
public:
    DockerEngine(Runtime& runtime, std::string socket)
        : runtime_(runtime), api_(std::make_shared<DockerApi>(runtime, std::move(socket))) {}

    Task<Result<EngineInfo>> info() override;
    Task<Result<std::vector<ContainerState>>> containers(LabelMap labels) override;
    Task<Result<ContainerState>> inspect(std::string id) override {
        return inspect_container(api_, std::move(id));
    }
    Task<Result<std::string>> create_container(std::string name, boost::json::object body) override;
    Task<Result<void>> start(std::string id) override;
    Task<Result<void>> stop(std::string id, Duration grace) override;
    Task<Result<bool>> kill_processes(std::string id) override;
    Task<Result<void>> remove_container(std::string id) override;
    Task<Result<void>> rename(std::string id, std::string name) override;
    Task<Result<void>> put_archive(std::string id, std::string path, std::string tar) override;
    Task<Result<std::vector<std::string>>> networks(LabelMap labels) override;
    Task<Result<void>> create_network(std::string name, boost::json::object body) override;
    Task<Result<void>> remove_network(std::string name) override;
    Task<Result<std::string>> gateway(std::string network) override;
    Task<Result<void>> connect_network(
        std::string network, std::string container, boost::json::object endpoint
    ) override;
    Task<Result<std::vector<std::string>>> volumes(LabelMap labels) override;
    Task<Result<void>> create_volume(std::string name, boost::json::object body) override;
    Task<Result<void>> remove_volume(std::string name) override;
    Task<Result<ImageState>> image(std::string reference) override;
    Task<Result<void>> pull(std::string reference, std::string auth, PullProgress progress) override {
        return pull_image(api_, std::move(reference), std::move(auth), std::move(progress));
    }
    Task<Result<void>> remove_image(std::string reference) override;
    Task<Result<bool>> has_path(std::string container, std::string path) override;
    Task<Result<std::unique_ptr<EngineStream<EngineEvent>>>> events(LabelMap labels) override {
        return open_events(api_, std::move(labels));
    }
    Task<Result<std::unique_ptr<EngineStream<LogLine>>>> logs(std::string id, LogQuery query) override {
        return open_logs(api_, std::move(id), query);
    }
    Task<Result<std::unique_ptr<ExecSession>>> exec(std::string id, ExecQuery query) override {
        return open_exec(api_, std::move(id), std::move(query));
    }

private:
    /// A call whose answer matters only as success or failure.
    Task<Result<void>> act(ApiCall call);
    Runtime& runtime_;
    std::shared_ptr<DockerApi> api_;
};

Task<Result<void>> DockerEngine::act(ApiCall call) {
    const Result<http::ClientResponse> answer = co_await DockerApi::call(api_, std::move(call));
    if (answer.has_error()) co_return answer.error();
    co_return Result<void>();
}

Task<Result<EngineInfo>> DockerEngine::info() {
    Result<EngineInfo> info = co_await DockerApi::negotiate(api_);
    if (info.has_error()) co_return info.error();
    ApiCall call;
    call.path = "/info";
    call.doing = "ask the engine for its state";
    const Result<boost::json::value> answer = co_await DockerApi::json(api_, std::move(call));
    if (answer.has_error()) co_return answer.error();
    info->data_root = text_at(*answer, "/DockerRootDir");
    // Podman makes up a new id for every answer, and Docker before 24 takes it from /etc/docker, which all
    // daemons of a machine share: where it keeps its containers is what tells one from another.
    info->id =
        std::string(text_at(*answer, info->kind == "podman" ? "/Name" : "/ID")) + ":" + info->data_root;
    if (info->architecture.empty())
        info->architecture = normal_architecture(text_at(*answer, "/Architecture"));
    co_return std::move(*info);
}

Task<Result<std::vector<ContainerState>>> DockerEngine::containers(LabelMap labels) {
    ApiCall call;
    call.path = "/containers/json" + api_query({{"all", "1"}, {"filters", label_filter(labels)}});
    call.doing = "list containers";
    const Result<boost::json::value> list = co_await DockerApi::json(api_, std::move(call));
    if (list.has_error()) co_return list.error();
    const auto work = std::make_shared<Inspection>(api_->runtime());
    if (const auto* entries = list->if_array()) {
        for (const boost::json::value& entry : *entries) work->ids.emplace_back(text_at(entry, "/Id"));
    }
    work->states.resize(work->ids.size());
    work->workers = std::min(kInspectsAtOnce, work->ids.size());
    TaskGroup group(api_->runtime());
    for (std::size_t i = 0; i < work->workers; ++i) group.spawn("engine.inspect", inspect_some(api_, work));
    while (work->workers > 0) co_await work->done.wait();
    if (work->error) co_return *work->error;
    std::vector<ContainerState> out;
    for (std::optional<ContainerState>& state : work->states) {
        if (state) out.push_back(std::move(*state));
    }
    co_return out;
}

Task<Result<std::string>> DockerEngine::create_container(std::string name, boost::json::object body) {
    ApiCall call;
    call.method = http::Method::post;
    call.path = "/containers/create" + api_query({{"name", name}});
    call.body = boost::json::serialize(body);
    call.doing = "create " + quoted("container", name);
    call.deadline = kSlow;
    const Result<boost::json::value> answer = co_await DockerApi::json(api_, std::move(call));
    if (answer.has_error()) co_return answer.error();
    co_return std::string(text_at(*answer, "/Id"));
}

Task<Result<void>> DockerEngine::start(std::string id) {
    ApiCall call;
    call.method = http::Method::post;
    call.path = container_path(id, "/start");
    call.doing = "start " + quoted("container", id);
    call.deadline = kSlow;
    return act(std::move(call));
}

Task<Result<void>> DockerEngine::stop(std::string id, Duration grace) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(grace).count();
    ApiCall call;
    call.method = http::Method::post;
    call.path = container_path(id, "/stop" + api_query({{"t", std::to_string(seconds)}}));
    call.doing = "stop " + quoted("container", id);
    call.deadline = grace + kSlow;
    return act(std::move(call));
}

Task<Result<bool>> DockerEngine::kill_processes(std::string id) {
    constexpr int kRounds = 50;
    constexpr Duration kPause{20};
    bool is_any = false;
    for (int round = 0; round < kRounds; ++round) {
        auto work = [id] { return kill_control_group("/proc", id); };
        const Result<std::size_t> killed = co_await offload(runtime_, Pool::blocking, std::move(work));
        if (killed.has_error()) co_return killed.error();
        if (*killed == 0) co_return is_any;
        is_any = true;
        co_await sleep_for(runtime_, kPause);
    }
    co_return Error{engine_errc::failed, "the processes of " + quoted("container", id) + " do not end"};
}

Task<Result<void>> DockerEngine::remove_container(std::string id) {
    constexpr Duration kPause{200};
    constexpr int kAttempts = 50;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        ApiCall call;
        call.method = http::Method::del;
        call.path = container_path(id, "?force=1&v=1");
        call.doing = "remove " + quoted("container", id);
        call.deadline = kSlow;
        call.fine_too = {404};
        Result<void> removed = co_await act(std::move(call));
        const bool is_under_way = removed.has_error() && removed.error().code == engine_errc::conflict &&
                                  removed.error().detail.find("already in progress") != std::string::npos;
        if (!is_under_way) co_return removed;
        co_await sleep_for(api_->runtime(), kPause);
    }
    co_return Error{engine_errc::conflict, "the engine is still removing " + quoted("container", id)};
}

Task<Result<void>> DockerEngine::rename(std::string id, std::string name) {
    ApiCall call;
    call.method = http::Method::post;
    call.path = container_path(id, "/rename" + api_query({{"name", name}}));
    call.doing = "rename " + quoted("container", id) + " to '" + name + "'";
    return act(std::move(call));
}

Task<Result<void>> DockerEngine::put_archive(std::string id, std::string path, std::string tar) {
    if (tar.size() > kFilesAtOnce) {
        co_return Error{
            errc::too_large, "the files of " + quoted("container", id) + " have more than 64 MiB"
        };
    }
    ApiCall call;
    call.method = http::Method::put;
    call.path = container_path(id, "/archive" + api_query({{"path", path}}));
    call.body = std::move(tar);
    call.content_type = "application/x-tar";
    call.doing = "put files into " + quoted("container", id);
    call.deadline = kSlow;
    const Result<void> put = co_await act(std::move(call));
    co_return put;
}

Task<Result<std::vector<std::string>>> DockerEngine::networks(LabelMap labels) {
    ApiCall call;
    call.path = "/networks" + api_query({{"filters", label_filter(labels)}});
    call.doing = "list networks";
    const Result<boost::json::value> list = co_await DockerApi::json(api_, std::move(call));
    if (list.has_error()) co_return list.error();
    std::vector<std::string> names;
    if (const auto* entries = list->if_array()) {
        for (const boost::json::value& entry : *entries) names.emplace_back(text_at(entry, "/Name"));
    }
    co_return names;
}

Task<Result<void>> DockerEngine::create_network(std::string name, boost::json::object body) {
    const auto* given = body.if_contains("Labels");
    const LabelMap wanted = label_map(given == nullptr ? nullptr : given->if_object());
    body["Name"] = name;
    ApiCall call;
    call.method = http::Method::post;
    call.path = "/networks/create";
    call.body = boost::json::serialize(body);
    call.doing = "create " + quoted("network", name);
    call.deadline = kSlow;
    call.fine_too = {409};
    const Result<http::ClientResponse> created = co_await DockerApi::call(api_, std::move(call));
    if (created.has_error()) co_return created.error();
    if (created->status != 409) co_return Result<void>();
    ApiCall look;
    look.path = "/networks/" + http::percent_encode(name);
    look.doing = "inspect " + quoted("network", name);
    const Result<boost::json::value> present = co_await DockerApi::json(api_, std::move(look));
    if (present.has_error()) co_return present.error();
    const LabelMap found = label_map(object_at(*present, "/Labels"));
    const bool is_ours = same_owner(
        wanted, found, {label::kManagedBy, label::kTarget, label::kInstance, label::kApp, label::kComponent}
    );
    if (!is_ours) co_return foreign(quoted("network", name));
    co_return Result<void>();
}

Task<Result<std::string>> DockerEngine::gateway(std::string network) {
    ApiCall call;
    call.path = "/networks/" + http::percent_encode(network);
    call.doing = "inspect " + quoted("network", network);
    const Result<boost::json::value> answer = co_await DockerApi::json(api_, std::move(call));
    if (answer.has_error()) co_return answer.error();
    boost::system::error_code none;
    const boost::json::value* ranges = answer->find_pointer("/IPAM/Config", none);
    if (none || ranges == nullptr || !ranges->is_array()) co_return std::string();
    for (const boost::json::value& range : ranges->get_array()) {
        std::string address(text_at(range, "/Gateway"));
        // Podman writes it as a network: "10.89.0.1/24".
        address = address.substr(0, address.find('/'));
        if (!address.empty() && address.find(':') == std::string::npos) co_return address;
    }
    co_return std::string();
}

Task<Result<void>> DockerEngine::remove_network(std::string name) {
    ApiCall call;
    call.method = http::Method::del;
    call.path = "/networks/" + http::percent_encode(name);
    call.doing = "remove " + quoted("network", name);
    call.deadline = kSlow;
    call.fine_too = {404};
    Result<void> removed = co_await act(std::move(call));
    // Docker answers 403 while containers are on it.
    if (removed.has_error() && removed.error().detail.find("active endpoints") != std::string::npos) {
        co_return Error{engine_errc::conflict, removed.error().detail, "disconnect its containers first"};
    }
    co_return removed;
}

Task<Result<void>> DockerEngine::connect_network(
    std::string network, std::string container, boost::json::object endpoint
) {
    boost::json::object body;
    body["Container"] = container;
    body["EndpointConfig"] = std::move(endpoint);
    ApiCall call;
    call.method = http::Method::post;
    call.path = "/networks/" + http::percent_encode(network) + "/connect";
    call.body = boost::json::serialize(body);
    call.doing = "connect " + quoted("container", container) + " to " + quoted("network", network);
    call.deadline = kSlow;
    return act(std::move(call));
}

Task<Result<std::vector<std::string>>> DockerEngine::volumes(LabelMap labels) {
    ApiCall call;
    call.path = "/volumes" + api_query({{"filters", label_filter(labels)}});
    call.doing = "list volumes";
    const Result<boost::json::value> list = co_await DockerApi::json(api_, std::move(call));
    if (list.has_error()) co_return list.error();
    std::vector<std::string> names;
    if (const auto* entries = array_at(*list, "/Volumes")) {
        for (const boost::json::value& entry : *entries) names.emplace_back(text_at(entry, "/Name"));
    }
    co_return names;
}

Task<Result<void>> DockerEngine::create_volume(std::string name, boost::json::object body) {
    const auto* given = body.if_contains("Labels");
    const LabelMap wanted = label_map(given == nullptr ? nullptr : given->if_object());
    body["Name"] = name;
    ApiCall call;
    call.method = http::Method::post;
    call.path = "/volumes/create";
    call.body = boost::json::serialize(body);
    call.doing = "create " + quoted("volume", name);
    call.deadline = kSlow;
    // An existing volume comes back as it is, data and labels; it may outlive the application that made it,
    // but never serve another one.
    const Result<boost::json::value> volume = co_await DockerApi::json(api_, std::move(call));
    if (volume.has_error()) co_return volume.error();
    const LabelMap found = label_map(object_at(*volume, "/Labels"));
    const bool is_ours =
        same_owner(wanted, found, {label::kManagedBy, label::kProject, label::kApp, label::kComponent});
    if (!is_ours) co_return foreign(quoted("volume", name));
    co_return Result<void>();
}

Task<Result<void>> DockerEngine::remove_volume(std::string name) {
    ApiCall call;
    call.method = http::Method::del;
    call.path = "/volumes/" + http::percent_encode(name);
    call.doing = "remove " + quoted("volume", name);
    call.deadline = kSlow;
    call.fine_too = {404};
    return act(std::move(call));
}

Task<Result<void>> DockerEngine::remove_image(std::string reference) {
    ApiCall call;
    call.method = http::Method::del;
    call.path = "/images/" + image_path(reference);
    call.doing = "remove " + quoted("image", reference);
    call.deadline = kSlow;
    call.fine_too = {404};
    return act(std::move(call));
}

Task<Result<bool>> DockerEngine::has_path(std::string container, std::string path) {
    ApiCall call;
    call.path = container_path(container, "/archive" + api_query({{"path", path}}));
    call.doing = "look for " + path + " in " + quoted("container", container);
    // That an archive begins is all that is asked; what is in it is not read.
    const Result<std::unique_ptr<http::ClientStream>> archive =
        co_await DockerApi::stream(api_, std::move(call));
    if (archive.has_value()) co_return true;
    if (archive.error().code == engine_errc::not_found) co_return false;
    co_return archive.error();
}

Task<Result<ImageState>> DockerEngine::image(std::string reference) {
    ApiCall call;
    call.path = "/images/" + image_path(reference) + "/json";
    call.doing = "find " + quoted("image", reference);
    const Result<boost::json::value> answer = co_await DockerApi::json(api_, std::move(call));
    if (answer.has_value()) co_return image_state(*answer);
    Error error = answer.error();
    if (error.code == engine_errc::not_found) error.code = engine_errc::image_not_found;
    co_return error;
}

}  // namespace

std::unique_ptr<Engine> make_docker_engine(Runtime& runtime, std::string socket) {
    return std::make_unique<DockerEngine>(runtime, std::move(socket));
}

}  // namespace icos::agent
