// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "agent/relay/resolver.hpp"
#include "icos/agent/relay.hpp"
#include "icos/async/task_group.hpp"

#include <memory>

namespace icos::agent {

/// What the listeners and connections of one relay share. Their tasks hold it, so it may outlive the relay by
/// the time these take to end. Loop-confined.
struct RelayState {
    RelayState(Runtime& r, RelaySettings s)
        : runtime(r),
          settings(s),
          resolver(std::make_shared<Resolver>(r)),
          tasks(std::make_unique<TaskGroup>(r)) {}

    Runtime& runtime;
    const RelaySettings settings;
    RelayCounters counters{};
    std::shared_ptr<Resolver> resolver;
    std::unique_ptr<TaskGroup> tasks;  ///< goes with the relay, null from then on
    /// Bytes on their way between two calls; nobody holds it over a wait. Made with the first connection.
    std::unique_ptr<char[]> scratch{};
};

}  // namespace icos::agent
