// SPDX-License-Identifier: Apache-2.0
#include "icos/descriptor/descriptor.hpp"

#include <array>

namespace icos::descriptor {

std::string_view to_string(ComponentType type) noexcept {
    switch (type) {
        case ComponentType::kubernetes:
            return "kubernetes";
        case ComponentType::docker:
            return "docker";
        case ComponentType::multiple:
            return "multiple";
    }
    return "docker";
}

std::string_view to_string(Engine engine) noexcept {
    return engine == Engine::docker ? "docker" : "kubernetes";
}

std::string_view type_of(const PolicyRule& rule) noexcept {
    constexpr std::array<std::string_view, std::variant_size_v<PolicyRule>> kWords{
        "security", "scheduler", "custom", "node-resource-usage", "redeployOnLostTelemetry"
    };
    return kWords[rule.index()];
}

}  // namespace icos::descriptor
