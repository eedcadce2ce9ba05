// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/ids.hpp"

#include <string>

namespace icos::messages {

/// A generation of an application was accepted and is durable. Publisher: job_manager.
struct AppAccepted {
    AppId app{};
    std::string project{};
    std::string name{};
    std::uint64_t generation{};
};

/// An application is gone: every target confirmed. Publisher: job_manager.
struct AppDeleted {
    AppId app{};
    std::string project{};
    std::string name{};
};

/// A placement on a node changed its state. Publisher: job_manager, after the change is durable.
struct ComponentObserved {
    AppId app{};
    std::string app_name{};
    std::string component{};
    PlacementId placement{};
    std::string node{};
    std::string cluster{};
    agent::PlacementState state{agent::PlacementState::pending};
    std::vector<agent::ObservedService> services{};
};

}  // namespace icos::messages
