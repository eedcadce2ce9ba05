// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/agent.hpp"
#include "process.hpp"
#include "sim_disk.hpp"
#include "sim_engine.hpp"
#include "sim_network.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace icos::sim {

/// An edge machine: an engine that outlives agents, a disk, and the real agent as a process of its own.
class SimNode {
public:
    SimNode(World& world, SimNetwork& network, std::shared_ptr<SyncLedger> ledger, std::string name);
    ~SimNode();
    SimNode(const SimNode&) = delete;
    SimNode& operator=(const SimNode&) = delete;

    const std::string& name() const noexcept { return machine_.name; }
    const std::string& id() const noexcept { return id_; }
    /// What a join fixed. The identity file itself belongs to the program, not to the agent's logic.
    void joined(std::string id) { id_ = std::move(id); }
    agent::Facts facts() const;

    void start_agent();
    bool agent_runs() const noexcept { return process_ != nullptr; }
    bool is_powered() const noexcept { return powered_; }

    void kill_agent(SimTime downtime);
    void kill_agent_later(SimTime downtime, std::uint64_t handlers, std::uint64_t disk_operations);
    /// Engine, containers, agent and whatever the disk had not synced go; everything comes back after
    /// `downtime`.
    void lose_power(SimTime downtime);
    void lose_power_later(SimTime downtime, std::uint64_t disk_operations);
    /// An orderly reboot: as above, but the disk is synced.
    void reboot(SimTime downtime);

    void on_agent_start(std::function<void()> callback) { agent_started_ = std::move(callback); }
    /// While this holds, a service manager starts a killed agent again soon (docs/operations.md).
    void hurry_agent_when(std::function<bool()> needs_agent) { needs_agent_ = std::move(needs_agent); }

    SimEngine& engine() noexcept { return engine_; }
    SimDisk& disk() noexcept { return *disk_; }
    Machine& machine() noexcept { return machine_; }
    std::map<std::string, std::string>& labels() noexcept { return labels_; }
    std::uint32_t cpu_milli = 4000;
    std::uint64_t memory_bytes = 8ULL << 30U;

private:
    struct Incarnation;
    static Task<> start(SimNode& self, Incarnation& incarnation);
    static Task<> stop(Incarnation& incarnation);
    SimTime back_after(SimTime downtime) const;
    void end_agent(std::unique_ptr<SimDisk> survivor, bool silent);
    void power_cut(std::unique_ptr<SimDisk> survivor, SimTime downtime);
    void start_agent_after(SimTime delay);

    World& world_;
    SimNetwork& network_;
    Rng rng_;
    Machine machine_;
    std::string id_;
    std::map<std::string, std::string> labels_;
    SimEngine engine_;
    std::unique_ptr<SimDisk> disk_;
    std::unique_ptr<Incarnation> process_;
    std::function<void()> agent_started_;
    std::function<bool()> needs_agent_;
    bool powered_ = true;
    std::uint64_t boots_ = 1;
    std::uint64_t starts_ = 0;
};

}  // namespace icos::sim
