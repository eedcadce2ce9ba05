// SPDX-License-Identifier: Apache-2.0
#include "connections.hpp"

#include "desired.hpp"
#include "rollup.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

namespace icos::job_manager {
namespace {

using descriptor::Application;
using descriptor::Component;
using descriptor::ServicePort;

/// "my-db.1" -> "MY_DB_1": what a shell takes as the name of a variable.
std::string variable_part(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool is_digit = c >= '0' && c <= '9';
        const bool is_lower = c >= 'a' && c <= 'z';
        const bool is_upper = c >= 'A' && c <= 'Z';
        if (is_lower) {
            out += static_cast<char>(c - 'a' + 'A');
        } else {
            out += is_digit || is_upper ? c : '_';
        }
    }
    return out;
}

std::vector<const Component*> providers_of(const Application& application, const std::string& name) {
    std::vector<const Component*> out;
    for (const auto& [consumer, provider] : application.edges) {
        if (application.components[consumer].name == name) out.push_back(&application.components[provider]);
    }
    return out;
}

/// "web", or "web.2" with deploy.replicas.
bool is_of_service(const std::string& title, const std::string& service) {
    return title == service ||
           (title.starts_with(service) && title.size() > service.size() && title[service.size()] == '.' &&
            title.find_first_not_of("0123456789", service.size() + 1) == std::string::npos);
}

bool is_up(const agent::ObservedService& service) {
    return service.state == "running";
}

/// The node's port of "0.0.0.0:32768->80/tcp" for container port 80; nullopt for other ports and for those
/// that only the node itself reaches.
std::optional<std::uint16_t> published_port(const std::string& mapping, std::uint16_t target) {
    const auto arrow = mapping.find("->");
    if (arrow == std::string::npos || mapping.substr(arrow + 2) != std::to_string(target) + "/tcp")
        return std::nullopt;
    const auto colon = mapping.rfind(':', arrow);
    if (colon == std::string::npos) return std::nullopt;
    const std::string address = mapping.substr(0, colon);
    if (address.starts_with("127.") || address == "::1" || address == "[::1]") return std::nullopt;
    std::uint16_t port = 0;
    const auto [end, failed] = std::from_chars(mapping.data() + colon + 1, mapping.data() + arrow, port);
    if (failed != std::errc{} || end != mapping.data() + arrow || port == 0) return std::nullopt;
    return port;
}

/// Where one copy takes connections for the port, seen from the consumer's node.
std::optional<agent::Endpoint> endpoint_of(
    const Placement& copy, const ServicePort& port, const NodeId& consumer, const Topology& topology
) {
    if (!copy.observed) return std::nullopt;
    for (const agent::ObservedService& service : copy.observed->services) {
        if (!is_of_service(service.service, port.service) || !is_up(service)) continue;
        if (copy.node == consumer) return agent::Endpoint{copy.id, "", port.port};
        const Node* node = topology.find(copy.node);
        if (node == nullptr || node->address.empty()) return std::nullopt;
        for (const std::string& mapping : service.ports) {
            if (const auto published = published_port(mapping, port.port))
                return agent::Endpoint{copy.id, node->address, *published};
        }
    }
    return std::nullopt;
}

/// Copies to send connections to, the best kind of them that there is.
std::vector<const Placement*> serving_copies(
    const State& state, const App& app, const std::string& component, const Topology& topology
) {
    std::vector<const Placement*> ready;
    std::vector<const Placement*> leaving;
    std::vector<const Placement*> known;
    for (const Placement* copy : state.of_app(app.id)) {
        if (copy->component != component || copy->removing || !copy->observed) continue;
        const ReplicaView view = view_of(*copy, app.desired, topology.find(copy->node), {});
        if (view.is_ready && !copy->retiring)
            ready.push_back(copy);
        else if (view.is_ready)
            leaving.push_back(copy);
        else
            known.push_back(copy);
    }
    if (!ready.empty()) return ready;
    return leaving.empty() ? known : leaving;
}

}  // namespace

std::vector<agent::Connection> connections_of(
    const State& state, const App& app, const Placement& consumer, const Topology& topology
) {
    std::vector<agent::Connection> out;
    if (consumer.engine != descriptor::Engine::docker) return out;
    const auto revision = app.revisions.find(consumer.generation);
    if (revision == app.revisions.end()) return out;
    const auto providers = providers_of(*revision->second, consumer.component);
    std::map<std::string, std::size_t> owners;  // of a service's name
    for (const Component* provider : providers) {
        std::set<std::string> services;
        for (const ServicePort& port : provider->service_ports) services.insert(port.service);
        for (const std::string& service : services) ++owners[service];
    }
    for (const Component* provider : providers) {
        const auto copies = serving_copies(state, app, provider->name, topology);
        std::map<std::string, std::size_t> seen;
        for (const ServicePort& port : provider->service_ports) {
            const std::size_t number = seen[port.service]++;
            if (number >= kMostPortsOfAService) continue;
            agent::Connection connection;
            const std::string prefix = owners[port.service] > 1 ? provider->name + "_" : std::string();
            connection.name = variable_part(prefix + port.service);
            connection.component = provider->name;
            connection.service = port.service;
            connection.port = port.port;
            connection.is_first = number == 0;
            for (const Placement* copy : copies) {
                if (auto endpoint = endpoint_of(*copy, port, consumer.node, topology))
                    connection.endpoints.push_back(std::move(*endpoint));
                else if (copy->node != consumer.node && !port.is_published)
                    connection.problem = "port " + std::to_string(port.port) + " of " + provider->name + "/" +
                                         port.service + " on " + copy->node_name +
                                         " is not published: other nodes reach it only under ports:";
            }
            out.push_back(std::move(connection));
        }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
        return std::tie(a.name, a.port) < std::tie(b.name, b.port);
    });
    return out;
}

bool is_provider(const Application& application, const std::string& component) {
    return std::any_of(application.edges.begin(), application.edges.end(), [&](const auto& edge) {
        return application.components[edge.second].name == component;
    });
}

}  // namespace icos::job_manager
