// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "state.hpp"

/// From an application to what a node shall run. Pure.
namespace icos::job_manager {

/// Content of a component for one engine: equal digests never restart anything. SHA-256 over manifests,
/// environment and pull rule, independent of the order of manifests and of object members; with a `key`,
/// HMAC-SHA-256, so that secrets in the content cannot be found by guessing.
std::string component_digest(
    const App& app, const descriptor::Component& component, descriptor::Engine engine, std::string_view key
);
/// Whether what the engine gets has the value of a secret in it.
bool holds_secrets(const descriptor::Component& component, descriptor::Engine engine);

/// Names of each compose service on the application network: `<service>.<component>` always, the bare service
/// where no other component has one of that name, the manifest's name where it has a single service.
std::map<std::string, std::vector<std::string>> service_aliases(
    const descriptor::Application& application, const descriptor::Component& component
);

agent::DesiredPlacement desired_placement(const App& app, const Placement& placement);

/// Whether the two ask for the same place: requirements, host ports, neighbours. If so the replicas stay.
bool same_demands(
    const descriptor::Application& before, const descriptor::Application& after, const std::string& component
);

/// What the loss of its node means for a component: `keep` where it holds data, unless its descriptor says
/// otherwise.
descriptor::OnNodeLoss loss_rule(const descriptor::Component& component);

const descriptor::Component* find_component(
    const descriptor::Application& application, std::string_view name
);

}  // namespace icos::job_manager
