// SPDX-License-Identifier: Apache-2.0
#include "planning.hpp"

#include "desired.hpp"

#include <algorithm>

namespace icos::job_manager {

bool has_to_leave(const descriptor::Component& component, const NodeId& node, const Leaving& leaving) {
    switch (loss_rule(component)) {
        case descriptor::OnNodeLoss::keep:
            return false;
        case descriptor::OnNodeLoss::exclusive:
            // A lost node may still run it, until its lease is over for certain or an operator knows better.
            return leaving.drained.contains(node) || leaving.confirmed.contains(node) ||
                   leaving.silent.contains(node);
        case descriptor::OnNodeLoss::replace:
            return leaving.drained.contains(node) || leaving.lost.contains(node);
    }
    return false;
}

PlanInput plan_input(
    const State& state,
    const App* app,
    const std::string& name,
    std::shared_ptr<const descriptor::Application> wanted,
    const Leaving& leaving,
    WallTime now
) {
    PlanInput input;
    for (const auto& [id, placement] : state.placements()) {
        const bool is_own =
            app != nullptr && placement.app == app->id && !placement.removing && !placement.retiring;
        const auto* component = is_own ? find_component(*wanted, placement.component) : nullptr;
        if (!is_own || (component != nullptr && has_to_leave(*component, placement.node, leaving))) {
            input.request.claims[placement.node].push_back(placement.claim);
            continue;
        }
        const auto revision = app->revisions.find(placement.generation);
        const bool pinned =
            revision != app->revisions.end() && same_demands(*revision->second, *wanted, placement.component);
        input.homes.push_back(
            {placement.component, placement.replica, placement.node, placement.claim, pinned}
        );
    }
    if (app != nullptr) {
        for (const auto& [component, overlay] : app->overlays) {
            if (overlay.replicas) input.request.replicas.emplace(component, *overlay.replicas);
        }
    }
    input.request.app = name;
    input.request.application = std::move(wanted);
    input.request.now = now;
    return input;
}

bool is_quick(const Topology& topology, const PlanInput& input) {
    // r replicas have n^r ways to n nodes: at most 256 while r * n is at most 16.
    constexpr std::uint64_t kMostPairs = 16;
    std::uint64_t replicas = 0;
    for (const descriptor::Component& component : input.request.application->components) {
        const auto overlay = input.request.replicas.find(component.name);
        const std::uint64_t each = overlay == input.request.replicas.end()
                                       ? component.options.replicas.value_or(1)
                                       : overlay->second;
        const auto& label = component.requirements.node_label;
        replicas += each * (label ? label->values.size() : 1);
    }
    const std::uint64_t nodes = std::max<std::uint64_t>(1, topology.nodes.size());
    return nodes <= kMostPairs && replicas * nodes <= kMostPairs && input.homes.size() <= kMostPairs;
}

PlaceResult plan(const Matchmaker& matchmaker, const Topology& topology, PlanInput input) {
    // Indices of homes that will not stay. Each round adds at least one, so there are at most as many rounds
    // as homes.
    std::set<std::size_t> leaving;
    for (;;) {
        PlaceRequest request = input.request;
        for (std::size_t i = 0; i < input.homes.size(); ++i) {
            const Home& home = input.homes[i];
            if (leaving.contains(i)) {
                request.claims[home.node].push_back(home.claim);
            } else {
                request.existing.push_back({home.component, home.replica, home.node, home.pinned});
            }
        }
        PlaceResult result = matchmaker.place(topology, request);
        const std::size_t before = leaving.size();
        for (std::size_t i = 0; i < input.homes.size(); ++i) {
            const Home& home = input.homes[i];
            const auto decision =
                std::find_if(result.decisions.begin(), result.decisions.end(), [&](const auto& d) {
                    return d.component == home.component && d.replica == home.replica;
                });
            if (decision == result.decisions.end() || decision->node != home.node) leaving.insert(i);
        }
        if (leaving.size() == before) return result;
    }
}

}  // namespace icos::job_manager
