// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/ports/matchmaker.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

/// Small topologies and applications for placement tests.
namespace icos::test {

inline constexpr std::uint64_t kMi = 1ULL << 20U;
inline constexpr std::uint64_t kGi = 1ULL << 30U;

inline Node node(const std::string& name, std::uint32_t cpu_milli = 4000, std::uint64_t memory = 8 * kGi) {
    Node made;
    made.id = NodeId{"id-" + name};
    made.name = name;
    made.cluster = name;
    made.state = NodeState::ready;
    made.architecture = "x86_64";
    made.cpu_milli = cpu_milli;
    made.memory_bytes = memory;
    made.engine = "docker";
    made.engine_version = "20.10";
    return made;
}

inline descriptor::Quantity cpu(std::uint64_t milli, std::string text) {
    return {milli, std::move(text)};
}
inline descriptor::Quantity memory(std::uint64_t bytes, std::string text) {
    return {bytes, std::move(text)};
}

inline descriptor::Component component(const std::string& name) {
    descriptor::Component made;
    made.name = name;
    made.services = {name};
    return made;
}

inline Topology topology(std::vector<Node> nodes) {
    Topology made;
    made.version = 1;
    made.nodes = std::move(nodes);
    return made;
}

inline PlaceRequest request(
    std::vector<descriptor::Component> components, std::vector<std::pair<std::size_t, std::size_t>> edges = {}
) {
    auto application = std::make_shared<descriptor::Application>();
    application->name = "hello";
    application->components = std::move(components);
    application->edges = std::move(edges);
    PlaceRequest made;
    made.app = "hello";
    made.application = std::move(application);
    return made;
}

}  // namespace icos::test
