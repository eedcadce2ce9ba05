// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/ids.hpp"
#include "icos/core/time.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace icos {

/// One computed state everywhere, never a guess: `joining` until the first hello, `ready` while the lease
/// runs, `suspect` after 10 s without a frame, `lost` when the lease (30 s) ended.
enum class NodeState { joining, ready, suspect, lost };
std::string_view to_string(NodeState state) noexcept;

/// Existence, identity, cluster, lease, cordon, labels, devices and capacity of a node: what is stored or
/// comes from the link. Measurements join later and may be unknown.
struct Node {
    NodeId id;
    std::string name;
    std::string cluster;
    std::string orchestrator = "icos";
    NodeState state = NodeState::joining;
    bool cordoned = false;
    bool draining = false;        ///< cordoned, and what runs there is to move away
    bool confirmed_lost = false;  ///< lost, and an operator said that nothing runs there any more
    bool keeps_lease = false;     ///< its agent stops what is exclusive when its lease ends
    std::string architecture;
    std::uint32_t cpu_milli = 0;     ///< capacity
    std::uint64_t memory_bytes = 0;  ///< capacity
    std::string engine;              ///< "docker", "podman", "" = none answers
    std::string engine_version;
    std::string engine_problem;
    std::map<std::string, std::string> labels;
    std::vector<agent::Device> devices;
    std::string os;
    std::string kernel;
    std::string location;
    std::string address;
    std::string agent_version;
    WallTime joined_at{};
    WallTime last_seen{};
    std::optional<Duration> round_trip;
    TargetId target() const { return TargetId{id.value}; }
};

/// Immutable; nodes sorted by id.
struct Topology {
    std::uint64_t version = 0;
    Duration lease{30'000};  ///< of a node: silent for longer, it is lost
    std::vector<Node> nodes;
    const Node* find(const NodeId& id) const;
    const Node* find_name(std::string_view name) const;
};

class TopologyView {
public:
    virtual ~TopologyView() = default;
    virtual std::shared_ptr<const Topology> current() const = 0;
};

}  // namespace icos
