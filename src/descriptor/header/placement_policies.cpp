// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"

#include <algorithm>
#include <functional>

namespace icos::descriptor::header {
namespace {

bool applies_to(const Policy& policy, const Component& component) {
    return policy.apply_to.empty() ||
           std::find(policy.apply_to.begin(), policy.apply_to.end(), component.name) != policy.apply_to.end();
}

SchedulerWeights normalised(const SchedulerWeights& weights) {
    // Huge weights are possible, and so is a sum that is infinite.
    const double largest = std::max({weights.performance, weights.energy, weights.security});
    if (!(largest > 0)) return weights;  // reported as E057
    const double sum = weights.performance / largest + weights.energy / largest + weights.security / largest;
    return {
        weights.performance / largest / sum, weights.energy / largest / sum, weights.security / largest / sum
    };
}

template <class T, class Stricter>
void tighten(std::optional<T>& value, const std::optional<T>& other, Stricter stricter) {
    if (other && (!value || stricter(*other, *value))) value = other;
}

/// What has to hold together is one demand, as long as it counts the same resources.
void add_usage(const NodeResourceUsage& usage, std::vector<NodeResourceUsage>& all) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const NodeResourceUsage& other) {
        return other.exclude_app_resources == usage.exclude_app_resources;
    });
    if (same == all.end()) return all.push_back(usage);
    tighten(same->cpu_threshold_perc, usage.cpu_threshold_perc, std::less<>());
    tighten(same->memory_threshold_perc, usage.memory_threshold_perc, std::less<>());
    tighten(same->memory_threshold, usage.memory_threshold, [](const Quantity& a, const Quantity& b) {
        return a.value > b.value;
    });
}

void apply(const Policy& policy, PlacementPolicies& placement) {
    if (const auto* minimum = std::get_if<SecurityMinimum>(&policy.rule)) {
        placement.security.level = std::max(placement.security.level, minimum->level);
        placement.security.threshold = std::max(placement.security.threshold, minimum->threshold);
    } else if (const auto* weights = std::get_if<SchedulerWeights>(&policy.rule)) {
        if (!placement.weights) placement.weights = normalised(*weights);
    } else if (const auto* usage = std::get_if<NodeResourceUsage>(&policy.rule)) {
        add_usage(*usage, placement.node_usage);
    }
}

}  // namespace

void resolve_policies(Draft& draft) {
    for (ComponentDraft& component_draft : draft.components) {
        Component& component = component_draft.component;
        for (const Policy& policy : component.policies) apply(policy, component.placement);
        for (const Policy& policy : draft.application.policies) {
            if (applies_to(policy, component)) apply(policy, component.placement);
        }
    }
}

}  // namespace icos::descriptor::header
