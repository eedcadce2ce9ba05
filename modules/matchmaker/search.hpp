// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "rules.hpp"

#include <cstddef>
#include <optional>
#include <vector>

/// Assigns units to nodes under joint capacity. Pure and deterministic.
namespace icos::matchmaker {

/// Replicas that go to one node together: one replica, or all replicas of a group joined by communication.
struct Unit {
    std::vector<Demand> demands{};
    Claim claim{};                      ///< of all demands together
    std::vector<std::size_t> nodes{};   ///< where no rule but capacity can say no; ascending
    std::optional<std::size_t> home{};  ///< where it is now, if it may stay
};

struct SearchLimits {
    std::size_t exact_units = 12;
    std::size_t exact_nodes = 40;
    std::size_t exact_steps = 30'000;
    std::size_t repair_steps = 2'000;
};

/// One entry per unit: index of its node, or nothing. Most replicas placed first, then most of them at home,
/// then the evenest load (sum of squared shares), then the order of the nodes. `loads` (one per node) are
/// what is taken already.
std::vector<std::optional<std::size_t>> assign(
    const std::vector<const Node*>& nodes,
    std::vector<Load> loads,
    const std::vector<Unit>& units,
    const SearchLimits& limits = {}
);

/// Cost of a node's load; grows with every claim. The share of an unknown capacity counts as none.
double load_cost(const Node& node, const Load& load);

}  // namespace icos::matchmaker
