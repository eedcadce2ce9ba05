// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/ports/matchmaker.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a replica asks for, what a node has left, and which rule says no. Pure.
namespace icos::matchmaker {

/// One replica and what it asks for.
struct Demand {
    const descriptor::Component* component = nullptr;
    std::uint32_t replica = 0;
    std::string label_value{};
    Claim claim{};
};

/// What is taken on a node.
struct Load {
    std::uint64_t cpu_milli = 0;
    std::uint64_t memory_bytes = 0;
    std::map<std::string, std::uint32_t> devices{};
    std::vector<descriptor::HostPort> host_ports{};
    std::uint32_t replicas = 0;

    void add(const Claim& claim);
    void remove(const Claim& claim);
};

struct Failure {
    Rule rule = Rule::state;
    std::string message{};
    std::uint64_t needed = 0;
    std::uint64_t available = 0;
    std::string relaxed{};  ///< the value that would pass ("5.8Gi", "arm64"), or empty
};

/// Replicas a component has: x-icos or overlay, once per listed value of its node label.
std::uint32_t replica_count(const descriptor::Component& component, std::optional<std::uint32_t> overlay);
Demand make_demand(const descriptor::Component& component, std::uint32_t replica);
/// What the application as a whole runs on; nullopt when every component is of type multiple.
std::optional<descriptor::Engine> fixed_engine(const descriptor::Application& application);

/// Alias classes of architectures: "amd64", "Intel" -> "x86_64"; "aarch64" -> "arm64".
std::string normal_architecture(std::string_view text);
/// Label keys are compared as telemetry spells them: everything outside [A-Za-z0-9_] becomes _.
std::string normal_label_key(std::string_view key);
bool ports_clash(const descriptor::HostPort& a, const descriptor::HostPort& b) noexcept;
std::string to_text(const descriptor::HostPort& port);

/// Everything that must not change with what else is placed: state, cordon, engine, architecture, label. For
/// a replica that is there already (`stays`) the first three do not count.
bool suits(const Node& node, const Demand& demand, descriptor::Engine engine, bool stays);
/// Whether `claim` fits beside `load`: cpu, memory, devices, host ports.
bool has_room(const Node& node, const Load& load, const Claim& claim);

/// All rules that fail, in the order of the enumerators. `with` names the other components whose amounts are
/// part of `claim`, for the message.
std::vector<Failure> failures(
    const Node& node,
    const Load& load,
    const Demand& demand,
    const Claim& claim,
    descriptor::Engine engine,
    std::optional<WallTime> now,
    std::string_view with
);

}  // namespace icos::matchmaker
