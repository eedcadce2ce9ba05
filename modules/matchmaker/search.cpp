// SPDX-License-Identifier: Apache-2.0
#include "search.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace icos::matchmaker {
namespace {

constexpr double kReplicaShare = 0.05;  // spreads what declares nothing
constexpr double kEqual = 1e-9;

using Assignment = std::vector<std::optional<std::size_t>>;

struct Value {
    std::size_t placed = 0;
    std::size_t at_home = 0;
    double cost = 0;

    bool is_better_than(const Value& other) const {
        if (placed != other.placed) return placed > other.placed;
        if (at_home != other.at_home) return at_home > other.at_home;
        return cost < other.cost - kEqual;
    }
};

double share(std::uint64_t taken, std::uint64_t capacity) {
    return capacity == 0 ? 0.0 : static_cast<double>(taken) / static_cast<double>(capacity);
}

class Search {
public:
    Search(
        const std::vector<const Node*>& nodes,
        std::vector<Load> loads,
        const std::vector<Unit>& units,
        const SearchLimits& limits
    )
        : nodes_(nodes), loads_(std::move(loads)), units_(units), limits_(limits), current_(units.size()) {
        order_.resize(units.size());
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        // Most constrained first: few nodes, then much to place.
        std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
            const auto rank = [&](std::size_t unit) {
                const Claim& claim = units_[unit].claim;
                return std::make_tuple(
                    units_[unit].nodes.size(), ~claim.memory_bytes, ~std::uint64_t{claim.cpu_milli}, unit
                );
            };
            return rank(a) < rank(b);
        });
        replicas_from_.resize(units.size() + 1);
        for (std::size_t i = units.size(); i-- > 0;) {
            replicas_from_[i] = replicas_from_[i + 1] + units_[order_[i]].demands.size();
        }
    }

    Assignment run() {
        greedy();
        repair();
        best_ = current_;
        best_value_ = value_;
        if (units_.size() <= limits_.exact_units && nodes_.size() <= limits_.exact_nodes) {
            for (std::size_t unit = 0; unit < units_.size(); ++unit) take_off(unit);
            descend(0);
        }
        return best_;
    }

private:
    void put(std::size_t unit, std::size_t node) {
        value_.cost -= load_cost(*nodes_[node], loads_[node]);
        loads_[node].add(units_[unit].claim);
        value_.cost += load_cost(*nodes_[node], loads_[node]);
        value_.placed += units_[unit].demands.size();
        if (units_[unit].home == node) ++value_.at_home;
        current_[unit] = node;
    }

    void take_off(std::size_t unit) {
        if (!current_[unit]) return;
        const std::size_t node = *current_[unit];
        value_.cost -= load_cost(*nodes_[node], loads_[node]);
        loads_[node].remove(units_[unit].claim);
        value_.cost += load_cost(*nodes_[node], loads_[node]);
        value_.placed -= units_[unit].demands.size();
        if (units_[unit].home == node) --value_.at_home;
        current_[unit].reset();
    }

    double added_cost(std::size_t unit, std::size_t node) const {
        Load with = loads_[node];
        with.add(units_[unit].claim);
        return load_cost(*nodes_[node], with) - load_cost(*nodes_[node], loads_[node]);
    }

    /// Nodes with room, home first, then the cheapest.
    std::vector<std::pair<double, std::size_t>> choices(std::size_t unit) const {
        std::vector<std::pair<double, std::size_t>> out;
        for (const std::size_t node : units_[unit].nodes) {
            if (!has_room(*nodes_[node], loads_[node], units_[unit].claim)) continue;
            out.emplace_back(units_[unit].home == node ? -1.0 : added_cost(unit, node), node);
        }
        std::sort(out.begin(), out.end());
        return out;
    }

    void greedy() {
        // What has a home goes first, so that no newcomer takes its room.
        for (const std::size_t unit : order_) {
            const auto& home = units_[unit].home;
            if (home && has_room(*nodes_[*home], loads_[*home], units_[unit].claim)) put(unit, *home);
        }
        for (const std::size_t unit : order_) {
            if (current_[unit]) continue;
            const auto options = choices(unit);
            if (!options.empty()) put(unit, options.front().second);
        }
    }

    /// For each unit without a node: move one other away if that makes room.
    void repair() {
        std::size_t steps = 0;
        for (const std::size_t unit : order_) {
            if (current_[unit]) continue;
            for (const std::size_t node : units_[unit].nodes) {
                if (make_room(unit, node, steps)) break;
                if (steps > limits_.repair_steps) return;
            }
        }
    }

    bool make_room(std::size_t unit, std::size_t node, std::size_t& steps) {
        for (const std::size_t other : order_) {
            if (current_[other] != node || units_[other].home == node) continue;
            if (++steps > limits_.repair_steps) return false;
            take_off(other);
            if (has_room(*nodes_[node], loads_[node], units_[unit].claim)) {
                put(unit, node);
                const auto options = choices(other);
                if (!options.empty()) {
                    put(other, options.front().second);
                    return true;
                }
                take_off(unit);
            }
            put(other, node);
        }
        return false;
    }

    /// Costs only grow along a branch, so a branch that cannot beat the best is cut.
    void descend(std::size_t depth) {
        if (++steps_ > limits_.exact_steps) return;
        if (depth == order_.size()) {
            if (value_.is_better_than(best_value_)) {
                best_ = current_;
                best_value_ = value_;
            }
            return;
        }
        const std::size_t left = order_.size() - depth;
        const Value bound{value_.placed + replicas_from_[depth], value_.at_home + left, value_.cost};
        if (!bound.is_better_than(best_value_)) return;
        const std::size_t unit = order_[depth];
        for (const auto& [cost, node] : choices(unit)) {
            put(unit, node);
            descend(depth + 1);
            take_off(unit);
            if (steps_ > limits_.exact_steps) return;
        }
        descend(depth + 1);
    }

    const std::vector<const Node*>& nodes_;
    std::vector<Load> loads_;
    const std::vector<Unit>& units_;
    SearchLimits limits_;
    std::vector<std::size_t> order_;
    std::vector<std::size_t> replicas_from_;  ///< of the units from this depth on
    Assignment current_;
    Value value_;
    Assignment best_;
    Value best_value_;
    std::size_t steps_ = 0;
};

}  // namespace

double load_cost(const Node& node, const Load& load) {
    const double cpu = share(load.cpu_milli, node.cpu_milli);
    const double memory = share(load.memory_bytes, node.memory_bytes);
    const double replicas = kReplicaShare * load.replicas;
    return cpu * cpu + memory * memory + replicas * replicas;
}

std::vector<std::optional<std::size_t>> assign(
    const std::vector<const Node*>& nodes,
    std::vector<Load> loads,
    const std::vector<Unit>& units,
    const SearchLimits& limits
) {
    return Search(nodes, std::move(loads), units, limits).run();
}

}  // namespace icos::matchmaker
