// SPDX-License-Identifier: Apache-2.0
// Any bytes as the compose manifest of a component: the controller's parser makes canonical compose of them
// or says why not, and the agent's planner takes what the parser gave out. The planner also gets the bytes as
// they are: a node does not trust what comes over the link.
#include "icos/agent/container_plan.hpp"
#include "icos/descriptor/descriptor.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view kHead =
    "name: fuzz\n"
    "description: a manifest of any content\n"
    "components:\n"
    "  - name: main\n"
    "    type: docker\n"
    "    manifests: [{name: main}]\n"
    "manifests:\n"
    "  - name: main\n"
    "    manifest:\n";

std::string descriptor_with(std::string_view compose) {
    std::string text(kHead);
    for (std::size_t at = 0; at < compose.size();) {
        const std::size_t end = std::min(compose.find('\n', at), compose.size());
        text += "      ";
        text += compose.substr(at, end - at);
        text += '\n';
        at = end + 1;
    }
    return text;
}

icos::agent::DesiredPlacement placement_of(std::string manifest) {
    icos::agent::DesiredPlacement placement;
    placement.placement = {"11111111-0000-4000-8000-000000000000"};
    placement.app_id = {"abcdef01-2345-4000-8000-000000000000"};
    placement.app = "fuzz";
    placement.component = "main";
    placement.digest = "0123456789abcdef0123";
    placement.manifests.push_back({"main", std::move(manifest)});
    return placement;
}

void check_plan(const icos::agent::PlacementPlan& plan) {
    for (const icos::agent::ContainerPlan& container : plan.containers) {
        if (container.name.empty() || container.name.size() > 128) std::abort();
        if (container.body.if_contains("Image") == nullptr) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icos;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto raw = agent::plan_placement(placement_of(std::string(bytes)), "node");
    if (raw.has_value()) check_plan(*raw);

    const descriptor::Parsed parsed = descriptor::parse(descriptor_with(bytes), {});
    if (parsed.application.has_value() == descriptor::has_errors(parsed.diagnostics)) std::abort();
    if (!parsed.application) return 0;
    for (const descriptor::Component& component : parsed.application->components) {
        for (const descriptor::Manifest& manifest : component.manifests) {
            if (manifest.compose.empty()) continue;
            const auto plan = agent::plan_placement(placement_of(manifest.compose), "node");
            if (plan.has_value()) check_plan(*plan);
        }
    }
    return 0;
}
