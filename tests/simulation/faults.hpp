// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sim_controller.hpp"
#include "sim_network.hpp"
#include "sim_node.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace icos::sim {

/// Breaks things at seeded times. Counts in the world what really happened, as "fault.<kind>".
class Faults {
public:
    Faults(
        World& world,
        SimNetwork& network,
        SimController& controller,
        std::vector<std::unique_ptr<SimNode>>& nodes
    );

    /// Plans everything between `from` and `to`: each kind at least once and most of them more often, or a
    /// choice of the kinds, so that none hides behind another.
    void plan(SimTime from, SimTime to, bool all_kinds);
    /// Ends all faults: routes heal, disks have space, everything runs.
    void heal();

    static const std::vector<std::string>& kinds();

    /// Told the names of most nodes when they go at once, and an empty set when they begin to come back.
    using OnMassLoss = std::function<void(const std::set<std::string>&)>;
    void on_mass_loss(OnMassLoss callback) { mass_loss_callback_ = std::move(callback); }

private:
    /// False if there is nothing to break now; it is tried again a little later.
    bool fire(const std::string& kind);
    bool fire_controller(const std::string& kind);
    bool fire_node(const std::string& kind);
    bool fire_mass_loss();
    bool fire_network(const std::string& kind);
    bool fire_slow_things(const std::string& kind);
    void mend(const std::string& from, const std::string& to);
    void attempt(const std::string& kind);
    SimNode& any_node();
    /// One with containers, if there is one.
    SimNode& busy_node();
    SimTime seconds(std::int64_t low, std::int64_t high);
    void later(SimTime delay, std::function<void()> undo);
    void jump_clock(Machine& machine, std::chrono::milliseconds to);

    World& world_;
    SimNetwork& network_;
    SimController& controller_;
    std::vector<std::unique_ptr<SimNode>>& nodes_;
    Rng rng_;
    OnMassLoss mass_loss_callback_;
    bool is_mass_loss_ = false;
    std::set<std::string> cut_off_;  ///< by a mass loss
    SimTime last_{};
    bool healed_ = false;
};

}  // namespace icos::sim
