// SPDX-License-Identifier: Apache-2.0
#include "sim_controller.hpp"

#include "fleet/fleet_module.hpp"
#include "icos/async/task_group.hpp"
#include "icos/bus/bus.hpp"
#include "icos/http/router.hpp"
#include "icos/ports/fleet.hpp"
#include "icos/runtime/application.hpp"
#include "icos/store/store.hpp"
#include "job_manager/job_manager_module.hpp"
#include "matchmaker/matchmaker_module.hpp"
#include "sim_vfs.hpp"

#include <utility>
#include <vector>

namespace icos::sim {
namespace {

constexpr const char* kDataDirectory = "data";

/// Numbers certificates: what they prove is the transport's business, which this world has none of.
class NumberingAuthority final : public CertificateAuthority {
public:
    std::string ca_certificate() const override { return "CA"; }
    std::string ca_pin() const override { return std::string(64, 'a'); }
    Result<std::string> issue(const http::PeerKey&, const std::string& node_id, std::int64_t, std::int64_t)
        override {
        return "certificate " + std::to_string(++issued_) + " of " + node_id;
    }
    std::pair<std::string, std::string> server_pair() const override { return {"certificate", "key"}; }
    std::pair<std::string, std::string> operator_pair() const override { return {"certificate", "key"}; }

private:
    std::uint64_t issued_ = 0;
};

std::vector<ModuleDescriptor> modules() {
    const auto authority =
        [](const fleet::AuthoritySettings&) -> Result<std::unique_ptr<CertificateAuthority>> {
        return std::unique_ptr<CertificateAuthority>(std::make_unique<NumberingAuthority>());
    };
    return {fleet::descriptor(authority), matchmaker::descriptor(), job_manager::descriptor()};
}

}  // namespace

/// One controller process, destroyed from the modules down to the process.
struct SimController::Incarnation {
    Incarnation(SimController& controller, const std::string& process_name)
        : process(controller.world_, controller.machine_, process_name),
          vfs(
              *controller.disk_,
              [this] { return to_ms(process.wall()); },
              [this](std::string& bytes) { process.random_bytes(std::as_writable_bytes(std::span(bytes))); }
          ) {}

    SimProcess process;
    std::unique_ptr<SimDisk> ghost_disk{};  ///< after a crash: what the dying process goes on with
    SimVfs vfs;
    std::unique_ptr<Store> store{};
    std::unique_ptr<Bus> bus{};
    std::unique_ptr<http::Router> router{};
    config::Config config{};
    std::vector<ModuleDescriptor> descriptors = modules();
    std::unique_ptr<Application> application{};
    std::unique_ptr<TaskGroup> connections{};
    LinkAcceptor* acceptor = nullptr;
    bool serving = false;
    bool stopped = false;
};

SimController::SimController(World& world, SimNetwork& network, std::shared_ptr<SyncLedger> ledger)
    : world_(world),
      network_(network),
      rng_(world.rng().fork("controller")),
      machine_{.name = kControllerHost, .boot_id = "controller-boot"},
      disk_(std::make_unique<SimDisk>("store", std::move(ledger))) {
    static_cast<void>(disk_->make_directory(kDataDirectory));
}

SimController::~SimController() {
    serving_callback_ = nullptr;
    if (process_) end(nullptr, Ending::power_loss, std::chrono::hours(1000));
}

bool SimController::is_serving() const noexcept {
    return process_ && process_->serving;
}

void SimController::boot() {
    if (process_) return;
    process_ = std::make_unique<Incarnation>(*this, "controller " + std::to_string(++starts_));
    Incarnation& it = *process_;
    world_.trace(it.process.name() + " starts");

    SqliteStoreOptions options;
    options.path = std::string(kDataDirectory) + "/icos.db";
    options.vfs = it.vfs.name();
    options.lock_directory = false;
    Result<Seal> seal = load_seal_key(*disk_, {{}, kDataDirectory});
    if (seal.has_error() && seal.error().code == seal_errc::no_key)
        seal = write_seal_key(*disk_, kDataDirectory, random_seal_key(it.process));
    Result<std::unique_ptr<Store>> store = Error{errc::internal, "not opened"};
    if (seal.has_error()) {
        store = seal.error();
    } else {
        options.seal = std::make_shared<const Seal>(std::move(*seal));
        store = open_sqlite_store(it.process, options);
    }
    if (store.has_error()) {
        world_.trace("the store cannot be opened: " + describe(store.error()));
        if (!disk_->full()) {
            world_.fail("the store cannot be opened: " + describe(store.error()));
            return;
        }
        world_.after(SimTime::zero(), nullptr, [this] { crash(Ending::kill, 5s); });
        return;
    }
    it.store = std::move(*store);
    it.bus = std::make_unique<Bus>(it.process);
    it.router = std::make_unique<http::Router>();
    it.connections = std::make_unique<TaskGroup>(it.process);
    it.application = std::make_unique<Application>(Application::Environment{
        it.process,
        *it.bus,
        *it.store,
        *disk_,
        *it.router,
        it.config,
        kDataDirectory,
        "5e1f7a52-0000-4000-8000-000000000001",
        "simulated",
        kControllerHost,
    });
    const auto order = start_order(it.descriptors, {"fleet", "matchmaker", "job_manager"});
    if (order.has_error()) return world_.fail(describe(order.error()));
    const Result<void> configured = it.application->configure(*order);
    if (configured.has_error()) return world_.fail("configure: " + describe(configured.error()));
    it.acceptor = it.application->ports().find<LinkAcceptor>();
    if (it.acceptor == nullptr) return world_.fail("no module accepts agent links");
    it.process.spawn("start", start(*this, it));
}

Task<> SimController::start(SimController& self, Incarnation& it) {
    const Result<void> started = co_await it.application->start();
    if (it.process.dead()) co_return;
    if (started.has_error()) {
        self.world_.trace("the controller cannot start: " + describe(started.error()));
        if (!self.disk_->full())
            self.world_.fail("the controller cannot start: " + describe(started.error()));
        self.world_.after(SimTime::zero(), nullptr, [&self, &it] {
            if (self.process_.get() == &it) self.crash(Ending::kill, 5s);
        });
        co_return;
    }
    it.serving = true;
    self.world_.trace(it.process.name() + " serves");
    self.network_.listen(
        kControllerHost,
        it.process,
        [&it](std::string from_host, std::unique_ptr<http::FrameStream> stream) {
            http::PeerKey peer;
            peer.key_id = "key-" + from_host;
            peer.common_name = from_host;
            peer.spki_der = "spki-" + from_host;
            peer.not_after_ms = to_ms(it.process.wall()) + 90LL * 86'400'000;
            peer.issued_by_us = true;
            it.connections->spawn("link", it.acceptor->serve(std::move(peer), std::move(stream)));
        }
    );
    if (self.serving_callback_) self.serving_callback_();
}

Task<> SimController::stop(Incarnation& it) {
    // As the HTTP server does: requests end before the modules that they use. A dying process has its own
    // time.
    if (it.connections) co_await it.connections->stop(Duration(60'000));
    if (it.application) co_await it.application->stop(Duration(3000));
    if (it.bus) co_await it.bus->stop(Duration(500));
    if (it.store) co_await it.store->close();
    it.stopped = true;
}

void SimController::end(std::unique_ptr<SimDisk> survivor, Ending ending, SimTime downtime) {
    Incarnation& dying = *process_;
    dying.serving = false;
    dying.ghost_disk = std::move(disk_);
    dying.ghost_disk->disarm();
    dying.ghost_disk->set_full(false);
    if (survivor) disk_ = std::move(survivor);
    network_.process_ended(dying.process, ending == Ending::power_loss);
    dying.process.begin_dying();
    dying.process.spawn("stop", stop(dying));
    if (!dying.process.drain([&dying] { return dying.stopped; }))
        world_.fail("the controller's stop does not end");
    dying.connections.reset();
    dying.application.reset();
    dying.bus.reset();
    dying.process.drain([] { return false; });
    dying.store.reset();
    dying.process.drain([] { return false; });
    process_.reset();

    const bool machine_went = ending == Ending::power_loss;
    if (machine_went) network_.set_host_down(kControllerHost, true);
    world_.after(downtime, nullptr, [this, machine_went] {
        if (machine_went) {
            network_.set_host_down(kControllerHost, false);
            machine_.booted_at = world_.now();
        }
        boot();
    });
}

void SimController::crash(Ending ending, SimTime downtime) {
    if (!process_) return;
    const bool power = ending == Ending::power_loss;
    world_.trace(process_->process.name() + (power ? " loses power" : " is killed"));
    if (power && disk_->has_unsynced()) world_.count("fault.disk.forgets what was not synced");
    const bool full = disk_->full();
    auto survivor = disk_->after(ending, rng_);
    survivor->set_full(full);
    end(std::move(survivor), ending, downtime);
}

void SimController::crash_later(
    Ending ending, SimTime downtime, std::uint64_t handlers, std::uint64_t disk_operations
) {
    if (!process_) return;
    if (disk_operations == 0) {
        process_->process.arm_crash(handlers, [this, ending, downtime] { crash(ending, downtime); });
        return;
    }
    Incarnation* victim = process_.get();
    disk_->arm(disk_operations, [this, victim, ending, downtime] {
        auto image = std::make_shared<std::unique_ptr<SimDisk>>(disk_->after(ending, rng_));
        victim->process.arm_crash(0, [this, image, ending, downtime] {
            const bool power = ending == Ending::power_loss;
            world_.trace(
                process_->process.name() + (power ? " loses power" : " is killed") + " while it writes"
            );
            if (power) world_.count("fault.disk.forgets what was not synced");
            end(std::move(*image), ending, downtime);
        });
    });
}

Task<> SimController::answer(
    SimController& self,
    Incarnation& it,
    std::string from_host,
    http::Request request,
    std::function<void(const http::Response&)> on_answer
) {
    const http::Response response = co_await it.router->dispatch(std::move(request));
    if (it.process.dead()) co_return;
    const SimTime back = std::chrono::microseconds(self.rng_.between(200, 30'000));
    self.world_.after(back, nullptr, [&self, from_host, response, on_answer] {
        if (!self.network_.is_cut(kControllerHost, from_host)) on_answer(response);
    });
}

void SimController::request(
    const std::string& from_host, http::Request request, std::function<void(const http::Response&)> on_answer
) {
    request.request_id = "request-" + std::to_string(++requests_);
    request.remote = from_host;
    const SimTime there = std::chrono::microseconds(rng_.between(200, 30'000));
    auto carried = std::make_shared<http::Request>(std::move(request));
    world_.after(there, nullptr, [this, from_host, carried, on_answer = std::move(on_answer)] {
        if (!is_serving() || network_.is_cut(from_host, kControllerHost)) return;
        Incarnation& it = *process_;
        it.connections->spawn("request", answer(*this, it, from_host, std::move(*carried), on_answer));
    });
}

}  // namespace icos::sim
