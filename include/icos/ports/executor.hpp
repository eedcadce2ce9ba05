// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/async/task.hpp"
#include "icos/core/error.hpp"
#include "icos/core/ids.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace icos {

using DesiredSet = std::map<PlacementId, agent::DesiredPlacement>;

/// The whole desired state of one target; immutable, replaced as a whole. `digest` =
/// agent::desired_digest(set).
struct TargetPlan {
    std::uint64_t version =
        0;  ///< durable store version it was made from: never offered before it is durable
    std::string digest;
    DesiredSet set;
};

/// A message-wise stream to a component on its node.
class NodeStream {
public:
    virtual ~NodeStream() = default;
    virtual Task<Result<std::optional<std::string>>> read() = 0;
    virtual Task<Result<void>> write(std::string message) = 0;
    virtual void finish() = 0;
    virtual void close() = 0;
};

/// Brings plans to targets and reports back. The agent link is the first; deployment managers follow.
/// All members on the control loop.
class Executor {
public:
    virtual ~Executor() = default;
    /// The target's plan is now this one. Idempotent; conveyed when the target is reachable.
    virtual void offer(const TargetId& target, std::shared_ptr<const TargetPlan> plan) = 0;
    /// Opens a "logs" or "exec" channel (agent/protocol.hpp). node.unreachable when the node is away.
    virtual Task<Result<std::unique_ptr<NodeStream>>> open_stream(
        TargetId target, std::string kind, std::string arguments
    ) = 0;
};

/// What executors tell their owner (the Job Manager); called on the control loop.
class ExecutorListener {
public:
    virtual ~ExecutorListener() = default;
    /// The target durably holds the plan with this digest; without one and without a problem: which one, and
    /// what it does about it, is not known, because another is on its way (which may arrive although its
    /// answer never does) or because it answers again and has not reported yet.
    virtual void accepted(const TargetId& target, const std::string& digest, const std::string& problem) = 0;
    /// State of placements that changed on the target; `removed` ones are gone from it completely. With
    /// `full`, whatever is not in `upsert` does not exist there.
    virtual void observed(
        const TargetId& target,
        bool full,
        const std::vector<agent::ObservedPlacement>& upsert,
        const std::vector<PlacementId>& removed
    ) = 0;
    /// A target's existence, state, capacity or labels changed: TopologyView::current() is the new truth.
    virtual void topology_changed() = 0;
};

/// Implemented by the executor's owner side: where the Job Manager registers itself.
class ExecutorRegistry {
public:
    virtual ~ExecutorRegistry() = default;
    virtual Executor& executor() = 0;
    virtual void attach(ExecutorListener& listener) = 0;  ///< once, before start
};

}  // namespace icos
