// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/descriptor/diagnostic.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::descriptor {

enum class ComponentType { kubernetes, docker, multiple };
enum class Engine { docker, kubernetes };
std::string_view to_string(ComponentType type) noexcept;
std::string_view to_string(Engine engine) noexcept;

struct NodeLabel {
    std::string key;
    std::vector<std::string> values;
};

/// A quantity with the text the user wrote, so that people read back what they know.
struct Quantity {
    std::uint64_t value = 0;  ///< milli-cores or bytes
    std::string text;
};

struct Requirements {
    std::optional<std::string> architecture;  ///< "x86_64" | "arm64", normalised
    std::optional<Quantity> cpu;
    std::optional<Quantity> memory;
    std::vector<std::string> devices;
    std::optional<NodeLabel> node_label;
    bool derived = false;  ///< cpu or memory come from the manifests' reservations, not from the header
};

struct Edge {
    enum class Direction { incoming, outgoing };  ///< incoming: depends on; outgoing: provides
    Direction direction = Direction::incoming;
    std::string service;
};

enum class OnNodeLoss { replace, exclusive, keep };

struct XIcos {
    std::optional<std::uint32_t> replicas;
    std::optional<std::string> spread_by;
    std::optional<std::uint32_t> spread_max;
    std::optional<bool> anti_affinity;
    std::optional<OnNodeLoss> on_node_loss;
    std::optional<std::string> update_order;  ///< "start-first" | "stop-first"
    std::optional<std::uint32_t> health_timeout_ms;
    std::optional<std::uint32_t> max_staleness_ms;
    std::optional<std::string> pull;  ///< "always" | "missing" | "never"
    std::optional<std::string> window;
    std::vector<std::string> registry_credentials;  ///< names of stored credentials
};

struct Manifest {
    std::string name;
    Engine engine = Engine::docker;
    std::string compose;   ///< docker: canonical compose as JSON text, see compose.hpp
    std::string original;  ///< the manifest's bytes as written
    std::size_t line = 0;
};

struct HostPort {
    std::string host_ip;  ///< "" = all addresses
    std::uint16_t port = 0;
    std::string protocol;  ///< "tcp", "udp", "sctp"
    auto operator<=>(const HostPort&) const = default;
};

/// A TCP port that a compose service listens on: under `ports` or `expose`.
struct ServicePort {
    std::string service;
    std::uint16_t port = 0;     ///< in the container
    bool is_published = false;  ///< on the node, at an address that other nodes reach
    auto operator<=>(const ServicePort&) const = default;
};

struct Component {
    std::string name;
    ComponentType type = ComponentType::docker;
    Requirements requirements;
    std::vector<Edge> communication;
    XIcos options;  ///< component over application
    std::vector<Manifest> manifests;
    std::vector<std::string> services;       ///< compose services and Service manifests, in order of the text
    std::vector<HostPort> host_ports;        ///< published on the node
    std::vector<ServicePort> service_ports;  ///< sorted; one entry per service and port
    std::vector<std::string> images;
    bool holds_data = false;  ///< a named volume or a bind mount: onNodeLoss defaults to keep
    std::size_t line = 0;
};

struct Application {
    std::string name;
    std::string name_space;
    std::string description;
    std::vector<Component> components;
    /// Pairs of component indices joined by communication (consumer, provider).
    std::vector<std::pair<std::size_t, std::size_t>> edges;
};

enum class Profile { full, header };
struct Options {
    Profile profile = Profile::full;
    bool strict = false;
    std::size_t max_bytes = 1U << 20U;
    std::size_t max_depth = 64;
    std::size_t max_nodes = 10'000;
};

struct Parsed {
    std::optional<Application> application;  ///< set when there are no errors
    std::vector<Diagnostic> diagnostics;     ///< sorted by line, column
};

/// Parses and validates a descriptor; all problems in one pass. Pure, any thread, any input.
Parsed parse(std::string_view text, const Options& options = {});

}  // namespace icos::descriptor
