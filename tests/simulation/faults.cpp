// SPDX-License-Identifier: Apache-2.0
#include "faults.hpp"

#include <algorithm>

namespace icos::sim {
namespace {

struct Kind {
    const char* name;
    std::uint64_t most;  ///< a run has 1 to this many
};

constexpr Kind kKinds[] = {
    {"controller.kill between two steps", 3},
    {"controller.kill while it writes", 3},
    {"controller.power loss", 2},
    {"controller.power loss while it writes", 3},
    {"agent.kill between two steps", 12},
    {"agent.kill while it writes", 6},
    {"node.power loss", 6},
    {"node.power loss while it writes", 8},
    {"node.reboot", 4},
    {"nodes.more than half lost at once", 2},
    {"network.partition", 12},
    {"network.partition in one direction", 8},
    {"network.partition of the controller", 2},
    {"network.delay", 6},
    {"network.stall", 15},
    {"network.loss", 15},
    {"network.half-open connection", 8},
    {"clock.controller jumps", 2},
    {"clock.node at 1970", 3},
    {"clock.node at 2100", 3},
    {"disk.controller slow", 2},
    {"disk.node slow", 5},
    {"disk.controller full", 1},
    {"disk.node full", 4},
    {"engine.restart", 4},
    {"engine.unavailable", 5},
    {"engine.container dies", 8},
    {"engine.registry unreachable", 5},
};

constexpr std::chrono::milliseconds kYear2100{4'102'444'800'000};

}  // namespace

Faults::Faults(
    World& world, SimNetwork& network, SimController& controller, std::vector<std::unique_ptr<SimNode>>& nodes
)
    : world_(world),
      network_(network),
      controller_(controller),
      nodes_(nodes),
      rng_(world.rng().fork("faults")) {}

const std::vector<std::string>& Faults::kinds() {
    static const std::vector<std::string> kNames = [] {
        std::vector<std::string> names;
        for (const Kind& kind : kKinds) names.push_back("fault." + std::string(kind.name));
        // These follow from others, and are counted where they happen.
        names.emplace_back("fault.disk.forgets what was not synced");
        names.emplace_back("fault.network.reordering");
        return names;
    }();
    return kNames;
}

void Faults::plan(SimTime from, SimTime to, bool all_kinds) {
    last_ = to;
    const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
    for (const Kind& kind : kKinds) {
        if (!all_kinds && rng_.one_in(2)) continue;
        const std::uint64_t times = 1 + rng_.below(kind.most);
        for (std::uint64_t i = 0; i < times; ++i) {
            const SimTime when = from + std::chrono::milliseconds(rng_.between(0, span));
            world_.at(when, nullptr, [this, name = std::string(kind.name)] { attempt(name); });
        }
    }
}

void Faults::attempt(const std::string& kind) {
    if (healed_) return;
    if (fire(kind)) {
        world_.count("fault." + kind);
        world_.trace("fault: " + kind);
    } else if (world_.now() < last_) {
        world_.after(seconds(2, 10), nullptr, [this, kind] { attempt(kind); });
    }
}

bool Faults::fire(const std::string& kind) {
    if (kind.starts_with("nodes.")) return fire_mass_loss();
    if (kind.starts_with("controller.")) return fire_controller(kind);
    if (kind.starts_with("agent.") || kind.starts_with("node.")) return fire_node(kind);
    if (kind.starts_with("network.")) return fire_network(kind);
    return fire_slow_things(kind);
}

SimTime Faults::seconds(std::int64_t low, std::int64_t high) {
    return std::chrono::milliseconds(rng_.between(low * 1000, high * 1000));
}

void Faults::later(SimTime delay, std::function<void()> undo) {
    world_.after(delay, nullptr, [this, undo = std::move(undo)] {
        if (!healed_) undo();
    });
}

SimNode& Faults::any_node() {
    return *nodes_[rng_.below(nodes_.size())];
}

SimNode& Faults::busy_node() {
    std::vector<SimNode*> busy;
    for (const auto& node : nodes_) {
        if (!node->engine().containers().empty() && node->agent_runs()) busy.push_back(node.get());
    }
    return busy.empty() || rng_.one_in(4) ? any_node() : *busy[rng_.below(busy.size())];
}

bool Faults::fire_controller(const std::string& kind) {
    if (!controller_.is_serving()) return false;
    const Ending ending = kind.find("power") != std::string::npos ? Ending::power_loss : Ending::kill;
    const SimTime downtime = rng_.one_in(3) ? seconds(1, 90) : seconds(1, 8);
    if (kind.ends_with("writes")) {
        controller_.crash_later(ending, downtime, 0, 1 + rng_.below(40));
    } else {
        controller_.crash_later(ending, downtime, rng_.below(400), 0);
    }
    return true;
}

bool Faults::fire_node(const std::string& kind) {
    SimNode& node = busy_node();
    if (!node.is_powered() || !node.agent_runs()) return false;
    const SimTime downtime = rng_.one_in(4) ? seconds(10, 180) : seconds(1, 10);
    if (kind == "agent.kill between two steps") node.kill_agent_later(downtime, rng_.below(60), 0);
    if (kind == "agent.kill while it writes") node.kill_agent_later(downtime, 0, 1 + rng_.below(4));
    if (kind == "node.power loss") node.lose_power(downtime);
    if (kind == "node.power loss while it writes") node.lose_power_later(downtime, 1 + rng_.below(4));
    if (kind == "node.reboot") node.reboot(downtime);
    return true;
}

bool Faults::fire_mass_loss() {
    // Longer than a lease; over before the controller loses patience.
    const SimTime duration = seconds(45, 240);
    if (is_mass_loss_ || !controller_.is_serving() || world_.now() + duration >= last_) return false;
    std::vector<SimNode*> left;
    for (const auto& node : nodes_) {
        if (node->is_powered() && node->agent_runs()) left.push_back(node.get());
    }
    // More than half of all, however many of the others are away already.
    const std::size_t least = nodes_.size() / 2 + 1;
    if (left.size() < least) return false;
    std::size_t count = std::max(least, left.size() * static_cast<std::size_t>(rng_.between(60, 100)) / 100);
    const bool is_power = rng_.one_in(2);
    std::set<std::string> names;
    for (; count > 0; --count) {
        const std::size_t chosen = rng_.below(left.size());
        SimNode& node = *left[chosen];
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen));
        names.insert(node.name());
        if (is_power) {
            node.lose_power(duration);
            continue;
        }
        network_.cut(node.name(), kControllerHost);
        network_.cut(kControllerHost, node.name());
    }
    is_mass_loss_ = true;
    if (!is_power) cut_off_ = names;
    if (mass_loss_callback_) mass_loss_callback_(names);
    world_.after(duration, nullptr, [this, names, is_power] {
        is_mass_loss_ = false;
        cut_off_.clear();
        if (mass_loss_callback_) mass_loss_callback_({});
        for (const std::string& name : names) {
            if (is_power || healed_) continue;
            mend(name, kControllerHost);
            mend(kControllerHost, name);
        }
    });
    return true;
}

/// Another fault's end does not end that of a mass loss.
void Faults::mend(const std::string& from, const std::string& to) {
    if (!cut_off_.contains(from) && !cut_off_.contains(to)) network_.heal(from, to);
}

bool Faults::fire_network(const std::string& kind) {
    const std::string host = busy_node().name();
    if (kind == "network.partition") {
        network_.cut(host, kControllerHost);
        network_.cut(kControllerHost, host);
        later(rng_.one_in(3) ? seconds(20, 200) : seconds(1, 18), [this, host] {
            mend(host, kControllerHost);
            mend(kControllerHost, host);
        });
        return true;
    }
    if (kind == "network.partition in one direction") {
        const bool towards = rng_.one_in(2);
        const std::string from = towards ? host : kControllerHost;
        const std::string to = towards ? kControllerHost : host;
        network_.cut(from, to);
        later(seconds(1, 60), [this, from, to] { mend(from, to); });
        return true;
    }
    if (kind == "network.partition of the controller") {
        const SimTime duration = rng_.one_in(3) ? seconds(30, 120) : seconds(2, 20);
        for (const auto& node : nodes_) {
            network_.cut(node->name(), kControllerHost);
            network_.cut(kControllerHost, node->name());
        }
        later(duration, [this] {
            for (const auto& node : nodes_) {
                mend(node->name(), kControllerHost);
                mend(kControllerHost, node->name());
            }
        });
        return true;
    }
    if (kind == "network.delay") {
        network_.set_slowness(host, 5 + rng_.below(100));
        later(seconds(5, 200), [this, host] { network_.set_slowness(host, 1); });
        return true;
    }
    if (kind == "network.stall") return network_.stall(host, seconds(1, 40), false);
    if (kind == "network.loss") return network_.stall(host, seconds(0, 12), true);
    return network_.half_open(host);
}

void Faults::jump_clock(Machine& machine, std::chrono::milliseconds to) {
    machine.wall_at_start = to - std::chrono::duration_cast<std::chrono::milliseconds>(world_.now());
}

bool Faults::fire_slow_things(const std::string& kind) {
    SimNode& node = busy_node();
    if (kind == "clock.controller jumps") {
        Machine& machine = controller_.machine();
        const auto before = machine.wall_at_start;
        jump_clock(machine, rng_.one_in(2) ? std::chrono::milliseconds(rng_.below(1'000'000)) : kYear2100);
        later(seconds(10, 300), [&machine, before] { machine.wall_at_start = before; });
    } else if (kind == "clock.node at 1970") {
        jump_clock(node.machine(), std::chrono::milliseconds(rng_.below(1'000'000)));
    } else if (kind == "clock.node at 2100") {
        jump_clock(node.machine(), kYear2100);
    } else if (kind == "disk.controller slow") {
        Machine& machine = controller_.machine();
        machine.disk_slowness = 20 + rng_.below(200);
        later(seconds(5, 60), [&machine] { machine.disk_slowness = 1; });
    } else if (kind == "disk.node slow") {
        Machine& machine = node.machine();
        machine.disk_slowness = 20 + rng_.below(1000);
        later(seconds(5, 120), [&machine] { machine.disk_slowness = 1; });
    } else if (kind == "disk.controller full") {
        if (!controller_.is_serving()) return false;
        controller_.disk().set_full(true);
        later(seconds(5, 60), [this] { controller_.disk().set_full(false); });
    } else if (kind == "disk.node full") {
        node.disk().set_full(true);
        later(seconds(5, 90), [&node] { node.disk().set_full(false); });
    } else if (kind == "engine.restart") {
        if (!node.engine().available()) return false;
        node.engine().restart();
    } else if (kind == "engine.unavailable") {
        node.engine().set_available(false);
        later(seconds(2, 90), [&node] { node.engine().set_available(true); });
    } else if (kind == "engine.container dies") {
        return node.engine().kill_one();
    } else {
        node.engine().set_registry_reachable(false);
        later(seconds(5, 120), [&node] { node.engine().set_registry_reachable(true); });
    }
    return true;
}

void Faults::heal() {
    healed_ = true;
    cut_off_.clear();
    network_.heal_all();
    controller_.machine().disk_slowness = 1;
    controller_.disk().set_full(false);
    controller_.disk().disarm();
    for (const auto& node : nodes_) {
        node->machine().disk_slowness = 1;
        node->disk().set_full(false);
        node->disk().disarm();
        node->engine().set_available(true);
        node->engine().set_registry_reachable(true);
    }
}

}  // namespace icos::sim
