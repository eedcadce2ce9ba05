// SPDX-License-Identifier: Apache-2.0
#include "icos/descriptor/descriptor.hpp"

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

}  // namespace icos::descriptor
