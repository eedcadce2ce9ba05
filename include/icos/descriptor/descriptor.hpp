// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/descriptor/diagnostic.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
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
    bool operator==(const Quantity&) const = default;
};

struct Requirements {
    std::optional<std::string> architecture;  ///< "x86_64" | "arm64", normalised
    std::optional<Quantity> cpu;
    std::optional<Quantity> memory;
    std::vector<std::string> devices;
    std::optional<NodeLabel> node_label;
    bool derived = false;  ///< cpu or memory come from the manifests' reservations, not from the header
};

enum class SecurityLevel { low, medium, high };

/// The least security score (SCA: an integer 0..100, higher is safer) that a component's node must have,
/// compared inclusively. A level stands for the score that the configuration gives it (by default 0, 34, 67),
/// which the descriptor does not know: who compares takes the higher of the level's score and `threshold`.
/// Neither is set: any node will do, also one whose score is not known.
struct SecurityMinimum {
    std::optional<SecurityLevel> level{};
    std::optional<std::uint32_t> threshold{};  ///< 0..100
    bool operator==(const SecurityMinimum&) const = default;
};

/// What a node's scores for performance, low energy use and security count when nodes are compared. None is
/// negative and at least one is above 0. The energy is called `energyconsumption` in older descriptors.
struct SchedulerWeights {
    double performance = 0;
    double energy = 0;
    double security = 0;
    bool operator==(const SchedulerWeights&) const = default;
};

/// What the node of a component may be loaded with, when it is chosen and while the component runs. A node
/// that is not measured passes.
struct NodeResourceUsage {
    std::optional<double> cpu_threshold_perc{};     ///< most CPU in use, a fraction 0..1 of all cores
    std::optional<double> memory_threshold_perc{};  ///< most memory in use, a fraction 0..1 of all of it
    std::optional<Quantity> memory_threshold{};     ///< least memory free, bytes
    bool exclude_app_resources = true;              ///< what the component itself uses is not counted
    bool operator==(const NodeResourceUsage&) const = default;
};

/// A condition over metrics: an expression in PromQL, with `{{variables}}`.
struct PolicySpec {
    std::string expr;
    std::string violated_if;  ///< comparison that follows `expr`, "> 0.8"; empty: it is inside `expr`
    std::vector<std::pair<std::string, double>> thresholds;  ///< names of severities, in order of the text
    bool operator==(const PolicySpec&) const = default;
};

/// Watched at run time only. Exactly one is set.
struct CustomRule {
    std::string from_template;  ///< name in the Policy Manager's catalogue
    std::optional<PolicySpec> spec{};
    bool operator==(const CustomRule&) const = default;
};

/// The component is moved when its node has sent no telemetry for this long.
struct LostTelemetry {
    std::uint64_t timeout_ms = 300'000;
    bool operator==(const LostTelemetry&) const = default;
};

using PolicyRule =
    std::variant<SecurityMinimum, SchedulerWeights, CustomRule, NodeResourceUsage, LostTelemetry>;
/// The word for `type`: "security", "scheduler", "custom", "node-resource-usage", "redeployOnLostTelemetry".
std::string_view type_of(const PolicyRule& rule) noexcept;

/// A scalar for a policy's expression, as the text that was written.
struct PolicyVariable {
    enum class Kind { string, integer, number, boolean };
    std::string name;
    std::string text;
    Kind kind = Kind::string;
    bool operator==(const PolicyVariable&) const = default;
};

struct PolicyProperties {
    std::optional<std::uint64_t> pending_interval_ms{};  ///< how long it must be violated before that counts
    std::optional<std::uint64_t> interval_ms{};          ///< how often it is evaluated
    bool oneoff = false;                                 ///< ends with its first violation
    bool operator==(const PolicyProperties&) const = default;
};

/// A policy as it stands in the descriptor, legacy words and short forms translated.
struct Policy {
    std::string name;  ///< empty if it has none; unique where it stands otherwise
    PolicyRule rule;
    /// The word that was written under `remediation` or `remediation_action`; where none was, "none" of a
    /// scheduler or custom policy, "redeploy" of the others.
    std::string remediation;
    std::vector<std::string> apply_to;      ///< components; only at the application, where empty means all
    std::vector<PolicyVariable> variables;  ///< in order of the text
    PolicyProperties properties{};
    std::size_t line = 0;
};

/// What policies demand of a component's node, those of the application that apply to it included.
struct PlacementPolicies {
    /// Normalised to sum 1. The component's own scheduler policy wins over the application's; not set if
    /// there is none: then the configured weights count.
    std::optional<SchedulerWeights> weights{};
    /// The highest level and the highest number that any security policy demands.
    SecurityMinimum security{};
    /// The strictest of all: at most one that counts the component's own use and one that does not.
    std::vector<NodeResourceUsage> node_usage;
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
    XIcos options;                 ///< component over application
    std::vector<Policy> policies;  ///< those that stand in the component
    PlacementPolicies placement{};
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
    std::vector<Policy> policies;  ///< those that stand at the application
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
