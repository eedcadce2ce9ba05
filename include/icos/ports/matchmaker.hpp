// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/descriptor/descriptor.hpp"
#include "icos/ports/topology_view.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace icos {

/// What placements take from a node (declared requests, not measurements).
struct Claim {
    std::uint32_t cpu_milli = 0;
    std::uint64_t memory_bytes = 0;
    std::vector<std::string> devices{};  ///< resource names, one unit each
    std::vector<descriptor::HostPort> host_ports{};
};

/// A replica that already has a home. `pinned`: it stays there whatever the rules say (it runs and nothing
/// asked to move it) and counts in the joint capacity. Otherwise it stays if it still fits; a node that is
/// away or cordoned does not push it out.
struct ExistingPlacement {
    std::string component{};
    std::uint32_t replica = 0;
    NodeId node{};
    bool pinned = false;
};

struct PlaceRequest {
    std::string app;
    std::shared_ptr<const descriptor::Application> application;
    std::map<std::string, std::uint32_t> replicas;  ///< overlay per component; absent = descriptor
    std::vector<ExistingPlacement> existing;        ///< of this application; stay where they still fit
    std::map<NodeId, std::vector<Claim>> claims;    ///< of all other applications, per node
    std::optional<WallTime> now{};                  ///< for messages such as "lost 4 min ago"
};

/// Why a node cannot take a component: the first rule that failed, in the order of the enumerators.
enum class Rule {
    state,  ///< not ready (suspect, lost, joining)
    cordoned,
    engine,
    architecture,
    label,
    device,
    cpu,
    memory,
    host_port,
    communication,  ///< joined by communication to a component that must be on another node
};
constexpr std::string_view to_string(Rule rule) noexcept {
    switch (rule) {
        case Rule::state:
            return "state";
        case Rule::cordoned:
            return "cordoned";
        case Rule::engine:
            return "engine";
        case Rule::architecture:
            return "architecture";
        case Rule::label:
            return "label";
        case Rule::device:
            return "device";
        case Rule::cpu:
            return "cpu";
        case Rule::memory:
            return "memory";
        case Rule::host_port:
            return "host_port";
        case Rule::communication:
            return "communication";
    }
    return "state";
}

struct Rejection {
    NodeId node;
    std::string node_name;
    Rule rule = Rule::state;
    std::string message;       ///< "memory: needs 7Gi, 6.1Gi free"
    std::uint64_t needed = 0;  ///< for cpu (milli-cores) and memory (bytes); 0 otherwise
    std::uint64_t available = 0;
    std::string relaxation;  ///< what would fit, for the closest node: "5.8Gi would fit"; empty otherwise
};

/// Where one replica goes, or why nowhere.
struct ReplicaDecision {
    std::string component;
    std::uint32_t replica = 0;
    std::optional<NodeId> node;  ///< set = placed
    descriptor::Engine engine = descriptor::Engine::docker;
    std::string label_value;  ///< value of the node label that this replica is for, or empty
    double score = 0;         ///< 0..1, comparable within one answer
    std::string
        reason;  ///< unplaced: one line, "no node fits (3 considered)"; placed: "stays", "fits best", …
    std::vector<Rejection> rejections;  ///< per node that was not taken because a rule failed, by node name
    std::vector<std::pair<std::string, double>> candidates;  ///< node name, score; best first
    Claim claim;                                             ///< what this replica takes
};

struct PlaceResult {
    descriptor::Engine engine = descriptor::Engine::docker;
    std::vector<ReplicaDecision> decisions;  ///< in order of components, then replica
    bool complete() const {
        return std::all_of(decisions.begin(), decisions.end(), [](const ReplicaDecision& d) {
            return d.node.has_value();
        });
    }
};

/// Chooses nodes. Pure: equal input, equal output; safe on any thread.
class Matchmaker {
public:
    virtual ~Matchmaker() = default;
    virtual PlaceResult place(const Topology& topology, const PlaceRequest& request) const = 0;
};

}  // namespace icos
