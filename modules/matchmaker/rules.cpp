// SPDX-License-Identifier: Apache-2.0
#include "rules.hpp"

#include "quantity_text.hpp"

#include <algorithm>
#include <cctype>

namespace icos::matchmaker {
namespace {

using descriptor::Component;
using descriptor::Engine;
using descriptor::HostPort;

bool is_any_address(std::string_view ip) {
    return ip.empty() || ip == "0.0.0.0" || ip == "::";
}

bool runs(const Node& node, Engine engine) {
    if (engine == Engine::kubernetes) return node.engine == "kubernetes";
    return node.engine == "docker" || node.engine == "podman";
}

std::string_view engine_word(Engine engine) {
    return engine == Engine::kubernetes ? "kubernetes" : "docker";
}

const std::string* label_of(const Node& node, std::string_view key) {
    const std::string wanted = normal_label_key(key);
    for (const auto& [name, value] : node.labels) {
        if (normal_label_key(name) == wanted) return &value;
    }
    return nullptr;
}

std::uint64_t left(std::uint64_t capacity, std::uint64_t taken) {
    return capacity > taken ? capacity - taken : 0;
}

std::uint32_t device_count(const Node& node, std::string_view name) {
    return static_cast<std::uint32_t>(
        std::count_if(node.devices.begin(), node.devices.end(), [&](const auto& d) { return d.name == name; })
    );
}

std::map<std::string, std::uint32_t> counted(const std::vector<std::string>& devices) {
    std::map<std::string, std::uint32_t> counts;
    for (const std::string& name : devices) ++counts[name];
    return counts;
}

std::uint32_t free_devices(const Node& node, const Load& load, const std::string& name) {
    const auto taken = load.devices.find(name);
    const std::uint32_t all = device_count(node, name);
    const std::uint32_t used = taken == load.devices.end() ? 0 : taken->second;
    return all > used ? all - used : 0;
}

void check_state(const Node& node, std::optional<WallTime> now, std::vector<Failure>& out) {
    if (node.state == NodeState::ready) return;
    std::string ago;
    if (now && node.last_seen > WallTime{} && *now >= node.last_seen) {
        ago = age_text(to_ms(*now) - to_ms(node.last_seen)) + " ago";
    }
    Failure failure{.rule = Rule::state};
    switch (node.state) {
        case NodeState::lost:
            failure.message = ago.empty() ? "lost" : "lost " + ago;
            break;
        case NodeState::suspect:
            failure.message = ago.empty() ? "suspect" : "suspect, last seen " + ago;
            break;
        default:
            failure.message = "joining, has not reported yet";
            break;
    }
    out.push_back(std::move(failure));
}

void check_engine(const Node& node, Engine engine, std::vector<Failure>& out) {
    if (runs(node, engine)) return;
    Failure failure{.rule = Rule::engine};
    failure.message = "engine: needs " + std::string(engine_word(engine)) + ", ";
    if (!node.engine.empty()) {
        failure.message +=
            "has " + node.engine + (node.engine_version.empty() ? "" : " " + node.engine_version);
    } else if (!node.engine_problem.empty()) {
        failure.message += "none answers (" + node.engine_problem + ")";
    } else {
        failure.message += "none answers";
    }
    out.push_back(std::move(failure));
}

void check_architecture(const Node& node, const Component& component, std::vector<Failure>& out) {
    if (!component.requirements.architecture) return;
    const std::string wanted = normal_architecture(*component.requirements.architecture);
    const std::string has = normal_architecture(node.architecture);
    if (wanted == has) return;
    const std::string shown = has.empty() ? "unknown" : has;
    out.push_back(
        {.rule = Rule::architecture,
         .message = "architecture: needs " + wanted + ", is " + shown,
         .relaxed = has}
    );
}

void check_label(const Node& node, const Demand& demand, std::vector<Failure>& out) {
    const auto& wanted = demand.component->requirements.node_label;
    if (!wanted) return;
    const std::string* has = label_of(node, wanted->key);
    if (has != nullptr && *has == demand.label_value) return;
    const std::string pair = wanted->key + "=" + demand.label_value;
    std::string message = "label: needs " + pair;
    message += has == nullptr ? ", has no " + wanted->key : ", is " + wanted->key + "=" + *has;
    out.push_back({.rule = Rule::label, .message = std::move(message), .relaxed = pair});
}

void check_devices(const Node& node, const Load& load, const Claim& claim, std::vector<Failure>& out) {
    for (const auto& [name, count] : counted(claim.devices)) {
        const std::uint32_t free = free_devices(node, load, name);
        if (free >= count) continue;
        const std::uint32_t all = device_count(node, name);
        std::string message =
            "device: needs " + (count > 1 ? std::to_string(count) + " of " : std::string()) + name;
        message +=
            all == 0 ? ", has none" : ", " + std::to_string(free) + " of " + std::to_string(all) + " free";
        out.push_back(
            {.rule = Rule::device,
             .message = std::move(message),
             .needed = count,
             .available = free,
             .relaxed = name}
        );
        return;
    }
}

/// "2Gi", or "3Gi with backend" when the amount is that of a group.
std::string needed_text(
    std::uint64_t own,
    std::uint64_t all,
    const std::optional<descriptor::Quantity>& written,
    std::string_view with,
    std::string (*to_words)(std::uint64_t, std::string_view)
) {
    const std::string_view like = written ? std::string_view(written->text) : std::string_view();
    if (all != own) return to_words(all, like) + " with " + std::string(with);
    return written && !written->text.empty() ? written->text : to_words(all, like);
}

void check_amount(
    Rule rule,
    std::string_view word,
    std::uint64_t own,
    std::uint64_t all,
    std::uint64_t capacity,
    std::uint64_t taken,
    const std::optional<descriptor::Quantity>& written,
    std::string_view with,
    std::string (*to_words)(std::uint64_t, std::string_view),
    std::vector<Failure>& out
) {
    const std::uint64_t free = left(capacity, taken);
    if (all == 0 || all <= free) return;
    const std::string_view like = written ? std::string_view(written->text) : std::string_view();
    std::string message = std::string(word) + ": needs " + needed_text(own, all, written, with, to_words);
    message += capacity == 0 ? ", capacity unknown" : ", " + to_words(free, like) + " free";
    // What may be asked for at most, beside the other members of the group.
    const std::uint64_t others = all - own;
    std::string relaxed = free > others ? to_words(free - others, like) : std::string();
    out.push_back({rule, std::move(message), all, free, std::move(relaxed)});
}

void check_ports(const Load& load, const Claim& claim, std::vector<Failure>& out) {
    for (std::size_t i = 0; i < claim.host_ports.size(); ++i) {
        const HostPort& port = claim.host_ports[i];
        const auto clash = [&](const HostPort& other) { return ports_clash(port, other); };
        const auto next = claim.host_ports.begin() + static_cast<std::ptrdiff_t>(i) + 1;
        const bool within = std::any_of(next, claim.host_ports.end(), clash);
        if (!within && std::none_of(load.host_ports.begin(), load.host_ports.end(), clash)) continue;
        std::string message =
            "host port: " + to_text(port) + (within ? " is wanted twice on one node" : " is taken");
        out.push_back({.rule = Rule::host_port, .message = std::move(message), .relaxed = to_text(port)});
        return;
    }
}

}  // namespace

void Load::add(const Claim& claim) {
    cpu_milli += claim.cpu_milli;
    memory_bytes += claim.memory_bytes;
    for (const std::string& name : claim.devices) ++devices[name];
    host_ports.insert(host_ports.end(), claim.host_ports.begin(), claim.host_ports.end());
    ++replicas;
}

void Load::remove(const Claim& claim) {
    cpu_milli -= std::min<std::uint64_t>(cpu_milli, claim.cpu_milli);
    memory_bytes -= std::min(memory_bytes, claim.memory_bytes);
    for (const std::string& name : claim.devices) {
        const auto it = devices.find(name);
        if (it != devices.end() && --it->second == 0) devices.erase(it);
    }
    for (const HostPort& port : claim.host_ports) {
        const auto it = std::find(host_ports.begin(), host_ports.end(), port);
        if (it != host_ports.end()) host_ports.erase(it);
    }
    if (replicas > 0) --replicas;
}

std::uint32_t replica_count(const Component& component, std::optional<std::uint32_t> overlay) {
    const std::uint32_t each = overlay.value_or(component.options.replicas.value_or(1));
    const auto& label = component.requirements.node_label;
    const std::size_t values = label ? label->values.size() : 1;
    return each * static_cast<std::uint32_t>(values);
}

Demand make_demand(const Component& component, std::uint32_t replica) {
    Demand demand{.component = &component, .replica = replica};
    const auto& asks = component.requirements;
    if (asks.node_label && !asks.node_label->values.empty()) {
        demand.label_value = asks.node_label->values[replica % asks.node_label->values.size()];
    }
    if (asks.cpu)
        demand.claim.cpu_milli =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(asks.cpu->value, UINT32_MAX));
    if (asks.memory) demand.claim.memory_bytes = asks.memory->value;
    demand.claim.devices = asks.devices;
    demand.claim.host_ports = component.host_ports;
    return demand;
}

std::optional<Engine> fixed_engine(const descriptor::Application& application) {
    for (const Component& component : application.components) {
        if (component.type == descriptor::ComponentType::kubernetes) return Engine::kubernetes;
        if (component.type == descriptor::ComponentType::docker) return Engine::docker;
    }
    return std::nullopt;
}

std::string normal_architecture(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    if (lower == "intel" || lower == "x86-64" || lower == "amd64") return "x86_64";
    if (lower == "aarch64") return "arm64";
    return lower;
}

std::string normal_label_key(std::string_view key) {
    std::string out(key);
    for (char& c : out) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    }
    return out;
}

bool ports_clash(const HostPort& a, const HostPort& b) noexcept {
    if (a.port != b.port || a.protocol != b.protocol) return false;
    return a.host_ip == b.host_ip || is_any_address(a.host_ip) || is_any_address(b.host_ip);
}

std::string to_text(const HostPort& port) {
    const std::string address = port.host_ip.empty() ? std::string() : port.host_ip + ":";
    return address + std::to_string(port.port) + "/" + port.protocol;
}

bool suits(const Node& node, const Demand& demand, Engine engine, bool stays) {
    if (!stays && (node.state != NodeState::ready || node.cordoned || !runs(node, engine))) return false;
    std::vector<Failure> out;
    check_architecture(node, *demand.component, out);
    check_label(node, demand, out);
    return out.empty();
}

bool has_room(const Node& node, const Load& load, const Claim& claim) {
    if (claim.cpu_milli > 0 && claim.cpu_milli > left(node.cpu_milli, load.cpu_milli)) return false;
    if (claim.memory_bytes > 0 && claim.memory_bytes > left(node.memory_bytes, load.memory_bytes))
        return false;
    if (!claim.devices.empty()) {
        for (const auto& [name, count] : counted(claim.devices)) {
            if (free_devices(node, load, name) < count) return false;
        }
    }
    std::vector<Failure> out;
    check_ports(load, claim, out);
    return out.empty();
}

std::vector<Failure> failures(
    const Node& node,
    const Load& load,
    const Demand& demand,
    const Claim& claim,
    Engine engine,
    std::optional<WallTime> now,
    std::string_view with
) {
    std::vector<Failure> out;
    const auto& asks = demand.component->requirements;
    check_state(node, now, out);
    if (node.cordoned) out.push_back({.rule = Rule::cordoned, .message = "cordoned"});
    check_engine(node, engine, out);
    check_architecture(node, *demand.component, out);
    check_label(node, demand, out);
    check_devices(node, load, claim, out);
    check_amount(
        Rule::cpu,
        "cpu",
        demand.claim.cpu_milli,
        claim.cpu_milli,
        node.cpu_milli,
        load.cpu_milli,
        asks.cpu,
        with,
        cpu_text,
        out
    );
    check_amount(
        Rule::memory,
        "memory",
        demand.claim.memory_bytes,
        claim.memory_bytes,
        node.memory_bytes,
        load.memory_bytes,
        asks.memory,
        with,
        memory_text,
        out
    );
    check_ports(load, claim, out);
    return out;
}

}  // namespace icos::matchmaker
