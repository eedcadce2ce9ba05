// SPDX-License-Identifier: Apache-2.0
#include "desired.hpp"
#include "icos/async/signal.hpp"
#include "routes.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace icos::job_manager {
namespace {

namespace json = boost::json;
using http::FrameStream;
using http::Request;

constexpr char kLastMessage = 2;

/// Which replica a request means; exactly one must match.
struct ExecTarget {
    PlacementId placement{};
    TargetId target{};
    std::string arguments{};
    std::string component{};
    std::string service{};
    std::string program{};  ///< the command's first word
};

Result<json::array> command_of(const Request& request) {
    boost::system::error_code failed;
    const json::value parsed = json::parse(std::string(request.query_or("command", "[]")), failed);
    bool is_list = !failed && parsed.is_array() && !parsed.get_array().empty();
    if (is_list) {
        for (const json::value& word : parsed.get_array()) is_list = is_list && word.is_string();
    }
    if (is_list) return parsed.get_array();
    return Error{
        errc::invalid_query, "?command= is not a JSON array of words", R"(command=["sh","-c","date"])"
    };
}

Result<ExecTarget> find_target(const JobService& service, const Request& request) {
    const auto app = service.find(project_of(request), request.param("name"));
    if (app.has_error()) return app.error();
    const std::string name = (*app)->name;
    std::string component(request.query_or("component", ""));
    const auto application = (*app)->application();
    if (component.empty()) {
        if (application->components.size() > 1) {
            return Error{
                errc::ambiguous, name + " has several components", "name one: " + name + "/COMPONENT"
            };
        }
        component = application->components.front().name;
    }
    const auto* declared = find_component(*application, component);
    if (declared == nullptr) {
        std::string known;
        for (const auto& c : application->components) known += (known.empty() ? "" : ", ") + c.name;
        return Error{
            errc::component_not_found, name + " has no component named " + component, "it has: " + known
        };
    }
    const auto replica = number_in_query(request, "replica", UINT32_MAX);
    if (replica.has_error()) return replica.error();
    std::string wanted(request.query_or("service", ""));
    if (wanted.empty()) {
        if (declared->services.size() > 1) {
            std::string known;
            for (const auto& s : declared->services) known += (known.empty() ? "" : ", ") + s;
            return Error{
                errc::ambiguous, component + " has several services", "choose one of them: " + known
            };
        }
        if (!declared->services.empty()) wanted = declared->services.front();
    }
    auto command = command_of(request);
    if (command.has_error()) return command.error();
    for (const Placement* placement : service.state().of_app((*app)->id)) {
        if (placement->removing || placement->component != component) continue;
        if (*replica && placement->replica != **replica) continue;
        ExecTarget found;
        found.placement = placement->id;
        found.target = TargetId{placement->node.value};
        found.component = component;
        found.service = wanted;
        if (!command->empty())
            found.program = std::string(command->front().as_string().c_str()).substr(0, 100);
        found.arguments = json::serialize(json::object{
            {"placement", placement->id.value},
            {"service", wanted},
            {"command", std::move(*command)},
            {"tty", request.query_flag("tty")},
            {"interactive", request.query_flag("interactive")},
        });
        return found;
    }
    return Error{
        errc::not_placed,
        name + "/" + component + " has no replica on a node",
        "icos explain " + name + " says why"
    };
}

/// The two ends of one command. Shared by the connection and the tasks that copy, because either may go
/// first: closing both ends makes the others end.
struct Bridge {
    Bridge(Runtime& runtime, std::unique_ptr<FrameStream> c, std::unique_ptr<NodeStream> n)
        : client(std::move(c)), node(std::move(n)), changed(runtime) {}
    ~Bridge() = default;
    Bridge(const Bridge&) = delete;
    Bridge& operator=(const Bridge&) = delete;

    void close() {
        has_ended = true;
        client->close();
        node->close();
        changed.notify();
    }

    std::unique_ptr<FrameStream> client;
    std::unique_ptr<NodeStream> node;
    bool has_ended = false;
    Signal changed;
};

Task<> copy_to_client(std::shared_ptr<Bridge> bridge) {
    for (;;) {
        auto message = co_await bridge->node->read();
        if (message.has_error() || !message->has_value()) break;
        const bool is_last = !(*message)->empty() && (*message)->front() == kLastMessage;
        std::string frame = std::move(**message);
        const auto written = co_await bridge->client->write(std::move(frame));
        if (written.has_error() || is_last) break;
    }
    bridge->close();
}

Task<> copy_to_node(std::shared_ptr<Bridge> bridge) {
    for (;;) {
        auto frame = co_await bridge->client->read();
        if (frame.has_error()) break;
        const auto written = co_await bridge->node->write(std::move(*frame));
        if (written.has_error()) break;
    }
    bridge->close();
}

/// Closes both ends also when the connection's task is cancelled.
class ClosingBridge {
public:
    explicit ClosingBridge(std::shared_ptr<Bridge> bridge) : bridge_(std::move(bridge)) {}
    ~ClosingBridge() { bridge_->close(); }
    ClosingBridge(const ClosingBridge&) = delete;
    ClosingBridge& operator=(const ClosingBridge&) = delete;

private:
    std::shared_ptr<Bridge> bridge_;
};

Task<> refuse(std::unique_ptr<FrameStream> client, Error error) {
    const json::object body{
        {"error", json::object{{"code", stable_code(error)}, {"detail", error.detail}, {"hint", error.hint}}}
    };
    std::string frame(1, kLastMessage);
    frame += json::serialize(body);
    static_cast<void>(co_await client->write(std::move(frame)));
    client->close();
}

/// Who ran what where. The words after the program may hold secrets and are left out.
ChangeSet exec_event(const Request& request, const ExecTarget& found) {
    EventDraft event;
    event.kind = "component.exec";
    event.layer = Layer::security;
    event.project = project_of(request);
    event.subject_kind = "component";
    event.subject = std::string(request.param("name")) + "/" + found.component;
    event.app = request.param("name");
    event.message = "ran " + found.program + " in service " + found.service;
    event.actor = request.caller.subject;
    event.data =
        json::serialize(json::object{{"placement", found.placement.value}, {"service", found.service}});
    ChangeSet changes;
    changes.events.push_back(std::move(event));
    return changes;
}

Task<> serve(
    Runtime& runtime,
    Store& store,
    JobService& service,
    TaskGroup& tasks,
    Request request,
    std::unique_ptr<FrameStream> client
) {
    auto found = find_target(service, request);
    if (found.has_error()) {
        co_await refuse(std::move(client), found.error());
        co_return;
    }
    // Recorded before it runs: what cannot be recorded is not done.
    const auto recorded = co_await store.commit(exec_event(request, *found));
    if (recorded.has_error()) {
        co_await refuse(std::move(client), recorded.error());
        co_return;
    }
    auto node = co_await service.executor().open_stream(found->target, "exec", found->arguments);
    if (node.has_error()) {
        co_await refuse(std::move(client), node.error());
        co_return;
    }
    const auto bridge = std::make_shared<Bridge>(runtime, std::move(client), std::move(*node));
    const ClosingBridge closing(bridge);
    tasks.spawn("job_manager.exec", copy_to_client(bridge));
    tasks.spawn("job_manager.exec", copy_to_node(bridge));
    while (!bridge->has_ended) co_await bridge->changed.wait();
}

Task<Result<void>> check(const JobService& service, Request request) {
    const auto found = find_target(service, request);
    if (found.has_error()) co_return found.error();
    co_return Result<void>{};
}

}  // namespace

void add_exec_routes(
    http::Router& router, Runtime& runtime, Store& store, JobService& service, TaskGroup& tasks
) {
    router.add(http::SocketRoute{
        "/api/v1/apps/{name}/exec",
        http::Access::write,
        "Run a command in a container (WebSocket)",
        [&service](const Request& request) { return check(service, request); },
        [&runtime, &store, &service, &tasks](Request request, std::unique_ptr<FrameStream> client) {
            return serve(runtime, store, service, tasks, std::move(request), std::move(client));
        }
    });
}

}  // namespace icos::job_manager
