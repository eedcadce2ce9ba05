// SPDX-License-Identifier: Apache-2.0
#include "connections.hpp"

#include "icos/core/log.hpp"

#include <algorithm>

namespace icos::agent {
namespace {

const Log kLog("agent.connections");

/// Below the range that systems take ports of outgoing connections and engines published ports from.
constexpr std::uint32_t kFirstPort = 20'000;
constexpr std::uint32_t kPorts = 12'000;
constexpr std::uint32_t kTries = 64;

/// FNV-1a: the same port again, even if the record of it was lost.
std::uint32_t preferred_port(const std::string& key) {
    std::uint32_t hash = 2'166'136'261U;
    for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
    return hash % kPorts;
}

RelayKey key_of(const DesiredPlacement& placement, const Connection& connection) {
    return {placement.app_id, connection.component, connection.service, connection.port};
}

}  // namespace

std::string record_key(const RelayKey& key) {
    return key.app.value + "/" + key.component + "/" + key.service + "/" + std::to_string(key.port);
}

Connections::Connections(Engine& engine, NodeRecords& records, Relay& relay, LocalAddresses local)
    : engine_(engine), records_(records), relay_(relay), local_(std::move(local)) {}

Task<Result<std::uint16_t>> Connections::listen(RelayKey key, std::string address) {
    const std::string record = record_key(key);
    if (const std::uint16_t known = records_.port_of(record)) {
        const Result<std::uint16_t> listening = co_await relay_.listen(key, address, known);
        if (listening.has_value()) co_return listening;
        // Containers were told this one.
        co_return Error{
            listening.error().code,
            "connections to " + key.component + "/" + key.service + " cannot be taken at " + address + ":" +
                std::to_string(known) + ": " + listening.error().detail,
            "end what listens there, or delete and apply the application again"
        };
    }
    const std::uint32_t preferred = preferred_port(record);
    Error last;
    for (std::uint32_t i = 0; i < kTries; ++i) {
        const auto port = static_cast<std::uint16_t>(kFirstPort + (preferred + i) % kPorts);
        const Result<std::uint16_t> listening = co_await relay_.listen(key, address, port);
        if (listening.has_value()) {
            records_.set_port(record, port);
            co_return port;
        }
        last = listening.error();
        if (last.code != relay_errc::port_taken) break;
    }
    co_return last;
}

Task<Result<std::map<std::string, std::string>>> Connections::provide(
    std::shared_ptr<Connections> self, std::shared_ptr<const DesiredPlacement> placement, std::string network
) {
    std::map<std::string, std::string> variables;
    if (placement->connections.empty()) co_return variables;
    std::string gateway = self->gateways_[network];
    if (gateway.empty()) {
        const Result<std::string> found = co_await self->engine_.gateway(network);
        if (found.has_error()) co_return found.error();
        gateway = *found;
        if (gateway.empty()) {
            co_return Error{
                errc::invalid,
                "network " + network + " has no gateway, so nothing on this node can relay for it",
                "give the network a subnet with a gateway (networks: NAME: ipam:)"
            };
        }
        self->gateways_[network] = gateway;
    }
    for (const Connection& connection : placement->connections) {
        const RelayKey key = key_of(*placement, connection);
        Route& known = self->routes_[key];
        if (known.listening == 0 || known.address != gateway) {
            const Result<std::uint16_t> listening = co_await self->listen(key, gateway);
            if (listening.has_error()) co_return listening.error();
            Route& route = self->routes_[key];
            route.address = gateway;
            route.listening = *listening;
            route.endpoints = connection.endpoints;
            route.targets.clear();
            self->aim(key, route);
        }
        const std::string port = std::to_string(self->routes_[key].listening);
        const std::string prefix = "ICOS_SVC_" + connection.name;
        variables[prefix + "_HOST"] = gateway;
        variables[prefix + "_PORT_" + std::to_string(connection.port)] = port;
        if (connection.is_first) variables[prefix + "_PORT"] = port;
    }
    // Before anybody is told.
    co_await self->records_.save();
    co_return variables;
}

void Connections::aim(const RelayKey& key, Route& route) {
    if (route.listening == 0) return;
    std::vector<RelayTarget> targets;
    for (const Endpoint& endpoint : route.endpoints) {
        if (!endpoint.address.empty()) {
            targets.push_back({endpoint.address, endpoint.port});
            continue;
        }
        for (std::string& address : local_(endpoint.placement, key.service))
            targets.push_back({std::move(address), endpoint.port});
    }
    if (targets == route.targets) return;
    route.targets = targets;
    relay_.set_targets(key, std::move(targets));
}

void Connections::set_desired(const AcceptedSet& set) {
    for (const auto& [id, placement] : set) {
        for (const Connection& connection : placement.connections) {
            const RelayKey key = key_of(placement, connection);
            Route& route = routes_[key];
            route.endpoints = connection.endpoints;
            aim(key, route);
        }
    }
}

void Connections::local_moved() {
    for (auto& [key, route] : routes_) aim(key, route);
}

void Connections::keep_only(const std::set<AppId>& apps) {
    std::erase_if(routes_, [&](const auto& entry) {
        const auto& [key, route] = entry;
        if (apps.contains(key.app)) return false;
        relay_.close(key);
        records_.set_port(record_key(key), 0);
        return true;
    });
    if (routes_.empty()) gateways_.clear();
}

}  // namespace icos::agent
