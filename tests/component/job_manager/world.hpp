// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task_group.hpp"
#include "icos/bus/bus.hpp"
#include "icos/config/view.hpp"
#include "icos/http/router.hpp"
#include "icos/link/session.hpp"
#include "icos/messages/app.hpp"
#include "icos/module/module.hpp"
#include "icos/ports/claims.hpp"
#include "icos/ports/executor.hpp"
#include "icos/ports/topology_view.hpp"
#include "job_manager/job_manager_module.hpp"
#include "manual_runtime.hpp"
#include "matchmaker/matchmaker_module.hpp"
#include "memory_disk.hpp"
#include "memory_store.hpp"
#include "run_task.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace icos::test {

namespace json = boost::json;

inline constexpr std::uint64_t kGi = 1ULL << 30U;

inline Node ready_node(const std::string& name) {
    Node node;
    node.id = NodeId{"node-" + name};
    node.name = name;
    node.cluster = "lab";
    node.state = NodeState::ready;
    node.architecture = "x86_64";
    node.cpu_milli = 4000;
    node.memory_bytes = 8 * kGi;
    node.engine = "docker";
    node.engine_version = "20.10";
    node.address = "10.0.0.1";
    return node;
}

/// Nodes and executor of a fleet without links: tests play the agents.
class FakeFleet final : public TopologyView, public Executor, public ExecutorRegistry {
public:
    std::shared_ptr<const Topology> current() const override { return topology_; }
    Executor& executor() override { return *this; }
    void attach(ExecutorListener& listener) override { listener_ = &listener; }
    void offer(const TargetId& target, std::shared_ptr<const TargetPlan> plan) override {
        ++offers;
        plans[target] = std::move(plan);
    }
    Task<Result<std::unique_ptr<NodeStream>>> open_stream(
        TargetId target, std::string kind, std::string arguments
    ) override {
        opened.push_back({target, kind, arguments});
        if (streams.empty()) {
            co_return Error{link::errc::closed, target.value + " is away", "wait until it is back"};
        }
        std::unique_ptr<NodeStream> stream = std::move(streams.front());
        streams.pop_front();
        co_return std::move(stream);
    }

    void set(std::vector<Node> nodes) {
        std::sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) { return a.id < b.id; });
        auto next = std::make_shared<Topology>();
        next->version = topology_->version + 1;
        next->nodes = std::move(nodes);
        topology_ = std::move(next);
        if (listener_ != nullptr) listener_->topology_changed();
    }

    const DesiredSet& plan(const std::string& node) const { return plans.at(TargetId{"node-" + node})->set; }
    std::string digest(const std::string& node) const { return plans.at(TargetId{"node-" + node})->digest; }
    void accept(const std::string& node, const std::string& problem = {}) {
        listener_->accepted(TargetId{"node-" + node}, digest(node), problem);
    }
    void report(
        const std::string& node,
        std::vector<agent::ObservedPlacement> upsert,
        std::vector<PlacementId> removed = {},
        bool full = false
    ) {
        listener_->observed(TargetId{"node-" + node}, full, upsert, removed);
    }

    ExecutorListener* listener() const noexcept { return listener_; }

    struct Opened {
        TargetId target{};
        std::string kind{};
        std::string arguments{};
    };
    std::map<TargetId, std::shared_ptr<const TargetPlan>> plans{};
    std::vector<Opened> opened{};
    std::deque<std::unique_ptr<NodeStream>> streams{};
    std::size_t offers = 0;

private:
    std::shared_ptr<const Topology> topology_ = std::make_shared<Topology>();
    ExecutorListener* listener_ = nullptr;
};

/// The node's part of a stream: a queue per direction.
class FakeNodeStream final : public NodeStream {
public:
    struct Shared {
        explicit Shared(Runtime& runtime) : changed(runtime) {}
        std::deque<std::string> out{};  ///< what the node says
        std::deque<std::string> in{};   ///< what it was told
        bool ended = false;             ///< the node has nothing more to say
        bool closed = false;
        Signal changed;
    };
    explicit FakeNodeStream(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
    ~FakeNodeStream() override { FakeNodeStream::close(); }
    Task<Result<std::optional<std::string>>> read() override { return read(shared_); }
    Task<Result<void>> write(std::string message) override {
        shared_->in.push_back(std::move(message));
        shared_->changed.notify();
        co_return Result<void>{};
    }
    void finish() override {}
    void close() override {
        shared_->closed = true;
        shared_->changed.notify();
    }

private:
    static Task<Result<std::optional<std::string>>> read(std::shared_ptr<Shared> shared) {
        while (shared->out.empty()) {
            if (shared->closed) co_return Error{link::errc::closed, "closed"};
            if (shared->ended) co_return std::optional<std::string>{};
            co_await shared->changed.wait();
        }
        std::optional<std::string> message = std::move(shared->out.front());
        shared->out.pop_front();
        co_return message;
    }
    std::shared_ptr<Shared> shared_;
};

/// Job Manager and Matchmaker as the controller runs them, between a store in memory and a fleet that the
/// test plays.
class World {
public:
    World() : own_store_(std::make_unique<MemoryStore>(runtime)), store(own_store_.get()) { boot(); }
    /// On a store of the caller's, which outlives it.
    World(ManualRuntime& given, Store& given_store, std::vector<Node> nodes)
        : runtime_(&given), store_override_(&given_store) {
        fleet().set(std::move(nodes));
        boot();
    }
    ~World() { halt(); }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    ManualRuntime& run_time() { return runtime_ == nullptr ? runtime : *runtime_; }

    /// Starts the modules on what the store holds.
    void boot() {
        bus = std::make_unique<Bus>(run_time());
        router = std::make_unique<http::Router>();
        ports = std::make_unique<Ports>();
        ports->provide<TopologyView>(fleet());
        ports->provide<ExecutorRegistry>(fleet());
        for (const ModuleDescriptor& descriptor : {matchmaker::descriptor(), job_manager::descriptor()}) {
            auto module = descriptor.make();
            ModuleContext context{
                run_time(),
                *bus,
                store_override_ ? *store_override_ : *store,
                disk,
                *router,
                *ports,
                config::defaults(descriptor.schema),
                "data",
                "controller-1",
                "test"
            };
            const auto configured = module->configure(context);
            if (configured.has_error()) throw std::runtime_error(describe(configured.error()));
            modules.push_back(std::move(module));
        }
        for (auto& module : modules) {
            const auto started = run(run_time(), module->start());
            if (started.has_error()) throw std::runtime_error(describe(started.error()));
        }
        settle();
    }
    void halt() {
        for (auto it = modules.rbegin(); it != modules.rend(); ++it)
            run_time().run_to_end((*it)->stop(Duration(1000)));
        run_time().run_until_idle();
        modules.clear();
        router.reset();
        bus.reset();
    }
    /// A new process on the same store; the fleet knows nothing of the old one's plans.
    void reboot() {
        halt();
        fleet().plans.clear();
        boot();
    }

    /// Lets everything that is under way end.
    void settle() { run_time().advance(Duration(200)); }

    http::Request request(http::Method method, std::string target, std::string body = {}) {
        http::Request made;
        made.method = method;
        const std::size_t mark = target.find('?');
        made.path = target.substr(0, mark);
        if (mark != std::string::npos) {
            std::string rest = target.substr(mark + 1);
            while (!rest.empty()) {
                const std::string part = rest.substr(0, rest.find('&'));
                rest.erase(0, std::min(rest.size(), part.size() + 1));
                const std::size_t equals = part.find('=');
                made.query[part.substr(0, equals)] =
                    equals == std::string::npos ? "" : part.substr(equals + 1);
            }
        }
        made.body = std::move(body);
        made.caller = {"token:admin", http::Role::admin, {}};
        made.request_id = "request-1";
        return made;
    }
    http::Response send(http::Method method, std::string target, std::string body = {}) {
        return run(run_time(), router->dispatch(request(method, std::move(target), std::move(body))));
    }
    http::Response send(http::Request request) {
        return run(run_time(), router->dispatch(std::move(request)));
    }
    http::Response apply(const std::string& name, std::string text) {
        return send(http::Method::put, "/api/v1/apps/" + name, std::move(text));
    }
    json::value get(std::string target) {
        const auto response = send(http::Method::get, std::move(target));
        if (response.status != 200)
            throw std::runtime_error(std::to_string(response.status) + " " + response.body);
        return json::parse(response.body);
    }
    json::value app(const std::string& name) { return get("/api/v1/apps/" + name); }
    std::string state(const std::string& name) { return std::string(app(name).at("state").as_string()); }

    /// The placement of a component's replica in a node's plan; throws if it is not there.
    const agent::DesiredPlacement& desired(
        const std::string& node, const std::string& component, std::uint32_t replica = 0
    ) {
        for (const auto& [id, placement] : fleet().plan(node)) {
            if (placement.component == component && placement.replica == replica) return placement;
        }
        throw std::runtime_error(component + " is not in the plan of " + node);
    }
    agent::ObservedPlacement seen(
        const agent::DesiredPlacement& placement, agent::PlacementState state = agent::PlacementState::running
    ) {
        agent::ObservedPlacement out;
        out.placement = placement.placement;
        out.app = placement.app;
        out.component = placement.component;
        out.generation = placement.generation;
        out.digest = placement.digest;
        out.state = state;
        return out;
    }
    /// The node takes its plan and runs all of it; as always, what it has is told before what it took.
    void run_all(const std::string& node) {
        std::vector<agent::ObservedPlacement> all;
        for (const auto& [id, placement] : fleet().plan(node)) {
            all.push_back(seen(
                placement, placement.run ? agent::PlacementState::running : agent::PlacementState::stopped
            ));
        }
        fleet().report(node, std::move(all), {}, true);
        fleet().accept(node);
        settle();
    }
    /// Kinds of the events recorded so far, with their subjects: "app.accepted hello".
    std::vector<std::string> history() {
        std::vector<std::string> out;
        for (const Event& event : store->recorded()) out.push_back(event.kind + " " + event.subject);
        return out;
    }
    bool happened(const std::string& what) {
        const auto all = history();
        return std::find(all.begin(), all.end(), what) != all.end();
    }
    const Event& event(const std::string& kind, const std::string& subject) {
        for (auto it = store->recorded().rbegin(); it != store->recorded().rend(); ++it) {
            if (it->kind == kind && it->subject == subject) return *it;
        }
        throw std::runtime_error("no event " + kind + " " + subject);
    }

    ExecutorListener* listener() { return fleet().listener(); }
    FakeFleet& fleet() {
        if (!fleet_) fleet_ = std::make_unique<FakeFleet>();
        return *fleet_;
    }

    ManualRuntime runtime;

private:
    ManualRuntime* runtime_ = nullptr;
    Store* store_override_ = nullptr;
    std::unique_ptr<MemoryStore> own_store_;
    std::unique_ptr<FakeFleet> fleet_;

public:
    MemoryStore* store = nullptr;
    MemoryDisk disk;
    std::unique_ptr<Bus> bus;
    std::unique_ptr<http::Router> router;
    std::unique_ptr<Ports> ports;
    std::vector<std::unique_ptr<Module>> modules;
};

/// A descriptor of Docker components that need nothing special. `image` makes a difference in content.
inline std::string component_text(const std::string& name, const std::string& requirements = {}) {
    return "  - name: " + name + "\n    type: docker\n    manifests: [{name: " + name + "}]\n" +
           (requirements.empty() ? "" : "    requirements: {" + requirements + "}\n");
}
inline std::string manifest_text(
    const std::string& name, const std::string& image, const std::string& more = {}
) {
    return "  - name: " + name + "\n    manifest:\n      services:\n        " + name +
           ":\n          image: " + image + "\n" + more;
}
inline std::string descriptor_text(
    const std::string& app, const std::string& components, const std::string& manifests
) {
    return "name: " + app + "\ndescription: \"\"\ncomponents:\n" + components + "manifests:\n" + manifests;
}
/// hello with `web` and `api`.
inline std::string hello(
    const std::string& web_image = "demo/web:1", const std::string& api_image = "demo/api:1"
) {
    return descriptor_text(
        "hello",
        component_text("web") + component_text("api"),
        manifest_text("web", web_image) + manifest_text("api", api_image)
    );
}
/// One component `worker`.
inline std::string worker(
    const std::string& app, const std::string& requirements, const std::string& image = "demo/worker:1"
) {
    return descriptor_text(app, component_text("worker", requirements), manifest_text("worker", image));
}

}  // namespace icos::test
