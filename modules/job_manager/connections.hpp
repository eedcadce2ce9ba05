// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/ports/topology_view.hpp"
#include "state.hpp"

#include <string>
#include <vector>

/// Who reaches whom: what a component's replica needs to know to talk to the components it is joined to by
/// communication, wherever they are now. Pure.
namespace icos::job_manager {

/// Most ports of one service that connections are made for; the lowest ones.
inline constexpr std::size_t kMostPortsOfAService = 32;

/// The connections of a placement, by name and port. Their endpoints are the ready copies of the provider;
/// while there is none, those that are about to leave, and while there is none of those either, whatever is
/// known to run: losing sight of a provider is no reason to cut those who still reach it.
std::vector<agent::Connection> connections_of(
    const State& state, const App& app, const Placement& consumer, const Topology& topology
);

/// Whether another component of the application may talk to this one.
bool is_provider(const descriptor::Application& application, const std::string& component);

}  // namespace icos::job_manager
