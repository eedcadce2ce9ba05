// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "accepted_log.hpp"
#include "icos/agent/engine.hpp"
#include "icos/agent/relay.hpp"
#include "node_records.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace icos::agent {

/// Gives components addresses at which they reach the components they talk to, and keeps these addresses
/// while the others move. One listener per port of a service and application, on the gateway of the
/// application's network; its number is recorded before a container is told, and asked for again after a
/// restart. Loop-confined; keep it by shared_ptr.
class Connections : public std::enable_shared_from_this<Connections> {
public:
    /// Addresses of the containers of a service of a placement on this node that take connections.
    using LocalAddresses =
        std::function<std::vector<std::string>(const PlacementId& placement, const std::string& service)>;

    Connections(Engine& engine, NodeRecords& records, Relay& relay, LocalAddresses local);

    /// Listens for all that the placement connects to; variables for its containers. Errors: those of the
    /// engine and of the relay.
    static Task<Result<std::map<std::string, std::string>>> provide(
        std::shared_ptr<Connections> self,
        std::shared_ptr<const DesiredPlacement> placement,
        std::string network
    );
    /// Sends new connections to where the set says that the providers are.
    void set_desired(const AcceptedSet& set);
    /// Containers on this node came or went.
    void local_moved();
    /// Stops listening for all other applications.
    void keep_only(const std::set<AppId>& apps);

private:
    struct Route {
        std::string address;
        std::uint16_t listening = 0;  ///< 0: not yet
        std::vector<Endpoint> endpoints;
        std::vector<RelayTarget> targets;
    };

    Task<Result<std::uint16_t>> listen(RelayKey key, std::string address);
    void aim(const RelayKey& key, Route& route);

    Engine& engine_;
    NodeRecords& records_;
    Relay& relay_;
    LocalAddresses local_;
    std::map<RelayKey, Route> routes_;
    std::map<std::string, std::string> gateways_;  ///< by network
};

/// Key of a listener in the node's records.
std::string record_key(const RelayKey& key);

}  // namespace icos::agent
