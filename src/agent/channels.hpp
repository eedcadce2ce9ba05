// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"
#include "icos/async/runtime.hpp"
#include "icos/async/task_group.hpp"
#include "icos/link/session.hpp"
#include "reconciler.hpp"

#include <memory>

namespace icos::agent {

/// Serves the channels a controller opens towards the node: "logs" and "exec" (agent/protocol.hpp).
/// Spawns into `tasks`, which must not outlive the references. Returns false for other kinds.
bool serve_channel(
    Runtime& runtime,
    Engine& engine,
    std::shared_ptr<const Reconciler> reconciler,
    TaskGroup& tasks,
    std::shared_ptr<link::Channel> channel
);

}  // namespace icos::agent
