// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/descriptor/descriptor.hpp"
#include "yaml/node.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace icos::descriptor {

/// A port published on the node, with its place for conflicts.
struct PortClaim {
    HostPort port;
    yaml::Position at;
    std::string path;
    std::string owner;  ///< service or pod
};

struct NamedPlace {
    std::string name;
    yaml::Position at;
    std::string path;
};

/// What the rest of the system needs to know about a manifest, whatever its engine.
struct ManifestFacts {
    std::string compose;  ///< docker: canonical JSON
    std::vector<NamedPlace> services;
    std::vector<std::string> images;
    std::vector<PortClaim> ports;
    std::vector<ServicePort> service_ports;
    bool holds_data = false;
    std::uint64_t cpu_milli = 0;  ///< sum of the reservations, times replicas
    std::uint64_t memory = 0;
    /// The memory as the header would read the same text: compose's `200M` is 200 MiB there, 200,000,000
    /// here.
    std::uint64_t memory_as_header = 0;
    std::vector<std::size_t> reservation_lines;
};

/// a + b, capped instead of wrapped.
constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}
constexpr std::uint64_t saturating_multiply(std::uint64_t a, std::uint64_t b) noexcept {
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

}  // namespace icos::descriptor
