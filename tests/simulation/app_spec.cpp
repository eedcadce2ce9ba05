// SPDX-License-Identifier: Apache-2.0
#include "app_spec.hpp"

#include <fmt/format.h>

namespace icos::sim {

const ComponentSpec* AppSpec::find(const std::string& component) const {
    for (const ComponentSpec& spec : components) {
        if (spec.name == component) return &spec;
    }
    return nullptr;
}

std::string descriptor_of(const std::string& app, const AppSpec& spec) {
    std::string header =
        fmt::format("name: {}\ndescription: an application of the simulation\ncomponents:\n", app);
    std::string manifests = "manifests:\n";
    for (const ComponentSpec& component : spec.components) {
        header +=
            fmt::format("  - name: {0}\n    type: docker\n    manifests: [{{name: {0}}}]\n", component.name);
        header += fmt::format(
            "    requirements:\n      cpu: {}m\n      memory: {}Mi\n",
            component.cpu_milli,
            component.memory_mib
        );
        if (!component.zones.empty()) {
            header += fmt::format(
                "      nodelabel: {{key: zone, values: [{}]}}\n", fmt::join(component.zones, ", ")
            );
        }
        if (component.talks_to_first) {
            header += fmt::format("    communication:\n      - incoming: {}\n", spec.components.front().name);
        }
        if (!component.on_node_loss.empty() || component.copies > 1) {
            header += "    x-icos:\n      version: 1\n";
            if (component.copies > 1) header += fmt::format("      replicas: {}\n", component.copies);
            if (!component.on_node_loss.empty())
                header += fmt::format("      onNodeLoss: {}\n", component.on_node_loss);
        }
        manifests +=
            fmt::format("  - name: {0}\n    manifest:\n      services:\n        {0}:\n", component.name);
        manifests += fmt::format("          image: demo/{}:1\n", component.image);
        manifests += fmt::format("          restart: \"{}\"\n", component.restart);
        manifests += fmt::format("          environment:\n            REV: \"{}\"\n", component.revision);
        if (component.padding > 0) {
            manifests += fmt::format("            PADDING: {}\n", std::string(component.padding, 'x'));
        }
        if (component.has_health_check) {
            manifests +=
                "          healthcheck:\n            test: [CMD, /bin/true]\n            interval: 1s\n";
        }
        if (component.has_volume) manifests += "          volumes: [\"data:/data\"]\n";
        if (component.has_secret()) manifests += "          secrets: [key]\n";
        if (component.has_volume) manifests += "      volumes:\n        data: {}\n";
        if (component.has_secret()) {
            manifests += fmt::format(
                "      secrets:\n        key: {{content: {}{}}}\n", kSecretMark, component.revision
            );
        }
    }
    return header + manifests;
}

}  // namespace icos::sim
