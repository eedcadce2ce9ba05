// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sim_controller.hpp"
#include "sim_network.hpp"
#include "sim_node.hpp"
#include "sim_user.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace icos::sim {

/// A controller, its nodes, the network between them and a user, on one world. Nodes are `edge-01` and so on;
/// some have the label `zone` (zone_of).
class Continuum {
public:
    Continuum(std::uint64_t seed, unsigned agents, const std::string& ignore_sync = {});
    Continuum(const Continuum&) = delete;
    Continuum& operator=(const Continuum&) = delete;

    /// Boots the controller, lets every node join with a token of its zone, and starts the agents. Breaks the
    /// run if one of them could not join within 30 seconds.
    void join_all();

    World& world() noexcept { return world_; }
    SimNetwork& network() noexcept { return network_; }
    SimController& controller() noexcept { return controller_; }
    SimUser& user() noexcept { return user_; }
    std::vector<std::unique_ptr<SimNode>>& nodes() noexcept { return nodes_; }
    const SyncLedger& syncs() const noexcept { return *ledger_; }

    /// "heavy" has one node; "a" and "b" are small enough to become full; all others have none.
    static std::string zone_of(std::size_t index);

private:
    void join_zone(const std::string& zone);
    void join(SimNode& node, const std::string& token);

    World world_;
    std::shared_ptr<SyncLedger> ledger_;
    SimNetwork network_;
    SimController controller_;
    std::vector<std::unique_ptr<SimNode>> nodes_;
    SimUser user_;
    std::size_t joined_ = 0;
};

}  // namespace icos::sim
