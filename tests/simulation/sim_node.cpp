// SPDX-License-Identifier: Apache-2.0
#include "sim_node.hpp"

#include "fake_relay.hpp"
#include "sim_controller.hpp"

#include <utility>

namespace icos::sim {
namespace {

constexpr const char* kStateDirectory = "state";
constexpr SimTime kServiceManager = 2s;

class SimDialer final : public agent::Dialer {
public:
    SimDialer(SimNetwork& network, SimProcess& process, std::string host)
        : network_(network), process_(process), host_(std::move(host)) {}
    Task<Result<std::unique_ptr<http::FrameStream>>> dial(std::string controller) override {
        // Addresses carry a port; there is one listener per host here.
        return network_.dial(process_, host_, controller.substr(0, controller.find(':')));
    }

private:
    SimNetwork& network_;
    SimProcess& process_;
    std::string host_;
};

class SimFacts final : public agent::FactsSource {
public:
    explicit SimFacts(const SimNode& node, std::string boot_id)
        : facts_(node.facts()), boot_id_(std::move(boot_id)) {}
    agent::Facts read() override { return facts_; }
    std::string boot_id() override { return boot_id_; }

private:
    agent::Facts facts_;
    std::string boot_id_;
};

}  // namespace

/// One agent process and what it is made of; destroyed from the agent down to the process.
struct SimNode::Incarnation {
    Incarnation(SimNode& node, const std::string& process_name)
        : process(node.world_, node.machine_, process_name),
          engine(node.engine_, process),
          dialer(node.network_, process, node.name()),
          facts(node, node.machine_.boot_id) {}

    SimProcess process;
    std::unique_ptr<SimDisk> ghost_disk{};  ///< after a crash: what the dying process goes on with
    SimEngineClient engine;
    test::FakeRelay relay{};
    SimDialer dialer;
    SimFacts facts;
    std::unique_ptr<agent::Agent> agent{};
    bool stopped = false;
};

SimNode::SimNode(World& world, SimNetwork& network, std::shared_ptr<SyncLedger> ledger, std::string name)
    : world_(world),
      network_(network),
      rng_(world.rng().fork(name)),
      machine_{.name = name, .boot_id = name + "-boot-1"},
      engine_(world, machine_),
      disk_(std::make_unique<SimDisk>("agent", std::move(ledger))) {
    static_cast<void>(disk_->make_directory(kStateDirectory));
    engine_.set_paths([this](const std::string& path) { return disk_ && disk_->exists(path); });
}

SimNode::~SimNode() {
    if (process_) end_agent(nullptr, true);
}

agent::Facts SimNode::facts() const {
    agent::Facts facts;
    facts.hostname = machine_.name;
    facts.architecture = "x86_64";
    facts.os = "Debian GNU/Linux 12 (bookworm)";
    facts.kernel = "6.1.0";
    facts.machine_id = "machine-" + machine_.name;
    facts.agent_version = "0.1.0";
    facts.cpu_milli = cpu_milli;
    facts.memory_bytes = memory_bytes;
    facts.address = machine_.name;
    return facts;
}

void SimNode::start_agent() {
    if (process_ || !powered_) return;
    process_ = std::make_unique<Incarnation>(*this, name() + " agent " + std::to_string(++starts_));
    agent::Settings settings;
    settings.node_id = id_;
    settings.name = name();
    settings.controllers = {kControllerHost};
    settings.state_dir = kStateDirectory;
    process_->agent = std::make_unique<agent::Agent>(
        process_->process,
        *disk_,
        process_->engine,
        process_->relay,
        process_->dialer,
        process_->facts,
        std::move(settings)
    );
    world_.trace(process_->process.name() + " starts");
    if (agent_started_) agent_started_();
    process_->process.spawn("start", start(*this, *process_));
}

Task<> SimNode::start(SimNode& self, Incarnation& incarnation) {
    const Result<void> started = co_await incarnation.agent->start();
    if (!started.has_error() || incarnation.process.dead()) co_return;
    self.world_.trace(incarnation.process.name() + " cannot start: " + describe(started.error()));
    if (!self.disk_->full()) {
        self.world_.fail(incarnation.process.name() + " cannot start: " + describe(started.error()));
        co_return;
    }
    // As a service manager does: it is started again, until there is space.
    self.world_.after(SimTime::zero(), nullptr, [&self, &incarnation] {
        if (self.process_.get() == &incarnation) self.kill_agent(5s);
    });
}

Task<> SimNode::stop(Incarnation& incarnation) {
    // Calls to the simulated engine end by themselves only; the time of a dying process costs nothing.
    co_await incarnation.agent->stop(std::chrono::minutes(10));
    incarnation.stopped = true;
}

void SimNode::end_agent(std::unique_ptr<SimDisk> survivor, bool silent) {
    Incarnation& dying = *process_;
    dying.ghost_disk = std::move(disk_);
    dying.ghost_disk->disarm();
    if (survivor) disk_ = std::move(survivor);
    network_.process_ended(dying.process, silent);
    dying.process.begin_dying();
    dying.process.spawn("stop", stop(dying));
    if (!dying.process.drain([&dying] { return dying.stopped; })) {
        world_.fail(dying.process.name() + ": stop() does not end");
    }
    dying.agent.reset();
    dying.process.drain([] { return false; });
    process_.reset();
}

void SimNode::start_agent_after(SimTime delay) {
    world_.after(delay, nullptr, [this] { start_agent(); });
}

SimTime SimNode::back_after(SimTime downtime) const {
    return needs_agent_ && needs_agent_() ? std::min(downtime, kServiceManager) : downtime;
}

void SimNode::kill_agent(SimTime downtime) {
    if (!process_) return;
    world_.trace(process_->process.name() + " is killed");
    end_agent(disk_->after(Ending::kill, rng_), false);
    start_agent_after(back_after(downtime));
}

void SimNode::kill_agent_later(SimTime downtime, std::uint64_t handlers, std::uint64_t disk_operations) {
    if (!process_) return;
    if (disk_operations == 0) {
        process_->process.arm_crash(handlers, [this, downtime] { kill_agent(downtime); });
        return;
    }
    Incarnation* victim = process_.get();
    disk_->arm(disk_operations, [this, victim, downtime] {
        auto image = std::make_shared<std::unique_ptr<SimDisk>>(disk_->after(Ending::kill, rng_));
        victim->process.arm_crash(0, [this, image, downtime] {
            world_.trace(process_->process.name() + " is killed while it writes");
            end_agent(std::move(*image), false);
            start_agent_after(back_after(downtime));
        });
    });
}

void SimNode::power_cut(std::unique_ptr<SimDisk> survivor, SimTime downtime) {
    network_.set_host_down(name(), true);
    if (process_) {
        end_agent(std::move(survivor), true);
    } else {
        disk_ = std::move(survivor);
    }
    engine_.power_off();
    powered_ = false;
    world_.after(downtime, nullptr, [this] {
        powered_ = true;
        network_.set_host_down(name(), false);
        machine_.booted_at = world_.now();
        machine_.boot_id = name() + "-boot-" + std::to_string(++boots_);
        world_.trace(name() + " boots");
        engine_.power_on();
        start_agent_after(std::chrono::milliseconds(rng_.between(100, 20'000)));
    });
}

void SimNode::lose_power(SimTime downtime) {
    if (!powered_) return;
    world_.trace(name() + " loses power");
    if (disk_->has_unsynced()) world_.count("fault.disk.forgets what was not synced");
    power_cut(disk_->after(Ending::power_loss, rng_), downtime);
}

void SimNode::lose_power_later(SimTime downtime, std::uint64_t disk_operations) {
    if (!powered_ || !process_) return;
    Incarnation* victim = process_.get();
    disk_->arm(disk_operations, [this, victim, downtime] {
        auto image = std::make_shared<std::unique_ptr<SimDisk>>(disk_->after(Ending::power_loss, rng_));
        victim->process.arm_crash(0, [this, image, downtime] {
            world_.trace(name() + " loses power while it writes");
            world_.count("fault.disk.forgets what was not synced");
            power_cut(std::move(*image), downtime);
        });
    });
}

void SimNode::reboot(SimTime downtime) {
    if (!powered_) return;
    world_.trace(name() + " reboots");
    power_cut(disk_->after(Ending::orderly, rng_), downtime);
}

}  // namespace icos::sim
