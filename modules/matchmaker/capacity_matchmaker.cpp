// SPDX-License-Identifier: Apache-2.0
#include "capacity_matchmaker.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace icos::matchmaker {
namespace {

using descriptor::Application;
using descriptor::Component;
using descriptor::Engine;

/// Which of the components that talk to each other have to share a node: all of them, or only those whose
/// provider has no port that other nodes reach.
enum class Binding { all, needed };

bool is_reachable(const Component& provider) {
    return std::any_of(provider.service_ports.begin(), provider.service_ports.end(), [](const auto& port) {
        return port.is_published;
    });
}

bool has_reachable_edge(const Application& application) {
    return std::any_of(application.edges.begin(), application.edges.end(), [&](const auto& edge) {
        return is_reachable(application.components[edge.second]);
    });
}

/// One solution for one engine.
class Placement {
public:
    Placement(
        const Topology& topology,
        const PlaceRequest& request,
        Engine engine,
        const SearchLimits& limits,
        Binding binding
    )
        : request_(request),
          application_(*request.application),
          engine_(engine),
          limits_(limits),
          binding_(binding) {
        // By name, so that neither the order of the nodes nor their ids decide anything.
        for (const Node& node : topology.nodes) nodes_.push_back(&node);
        std::sort(nodes_.begin(), nodes_.end(), [](const Node* a, const Node* b) {
            return std::tie(a->name, a->id) < std::tie(b->name, b->id);
        });
        for (std::size_t i = 0; i < nodes_.size(); ++i) index_.emplace(nodes_[i]->id, i);
        loads_.resize(nodes_.size());
        for (const auto& [node, claims] : request.claims) {
            const auto found = index_.find(node);
            if (found == index_.end()) continue;
            for (const Claim& claim : claims) loads_[found->second].add(claim);
        }
    }

    PlaceResult solve() {
        make_groups();
        make_units();
        const auto assignment = assign(nodes_, loads_, units_, limits_);
        final_loads_ = loads_;
        for (std::size_t i = 0; i < units_.size(); ++i) {
            if (assignment[i]) final_loads_[*assignment[i]].add(units_[i].claim);
        }
        PlaceResult result;
        result.engine = engine_;
        for (ReplicaDecision& decision : pinned_) result.decisions.push_back(std::move(decision));
        for (std::size_t i = 0; i < units_.size(); ++i) {
            for (const Demand& demand : units_[i].demands)
                result.decisions.push_back(decide(units_[i], demand, assignment[i]));
        }
        std::map<std::string_view, std::size_t> rank;
        for (std::size_t i = 0; i < application_.components.size(); ++i)
            rank.emplace(application_.components[i].name, i);
        std::sort(result.decisions.begin(), result.decisions.end(), [&](const auto& a, const auto& b) {
            return std::make_tuple(rank[a.component], a.replica) <
                   std::make_tuple(rank[b.component], b.replica);
        });
        return result;
    }

private:
    /// Connected components of the communication graph; only Docker keeps them on one node.
    void make_groups() {
        group_.resize(application_.components.size());
        std::iota(group_.begin(), group_.end(), std::size_t{0});
        if (engine_ != Engine::docker) return;
        bool changed = true;
        while (changed) {
            changed = false;
            for (const auto& [a, b] : application_.edges) {
                if (a >= group_.size() || b >= group_.size() || group_[a] == group_[b]) continue;
                if (binding_ == Binding::needed && is_reachable(application_.components[b])) continue;
                const std::size_t low = std::min(group_[a], group_[b]);
                group_[a] = low;
                group_[b] = low;
                changed = true;
            }
        }
    }

    bool is_joined(std::size_t component) const {
        return std::count(group_.begin(), group_.end(), group_[component]) > 1;
    }

    const ExistingPlacement* existing(const std::string& component, std::uint32_t replica) const {
        for (const ExistingPlacement& placed : request_.existing) {
            if (placed.component == component && placed.replica == replica && index_.contains(placed.node))
                return &placed;
        }
        return nullptr;
    }

    void make_units() {
        std::map<std::size_t, Unit> joined;
        std::vector<Unit> single;
        for (std::size_t c = 0; c < application_.components.size(); ++c) {
            const Component& component = application_.components[c];
            const auto overlay = request_.replicas.find(component.name);
            const std::uint32_t count = replica_count(
                component, overlay == request_.replicas.end() ? std::nullopt : std::optional(overlay->second)
            );
            for (std::uint32_t replica = 0; replica < count; ++replica) {
                Demand demand = make_demand(component, replica);
                const ExistingPlacement* placed = existing(component.name, replica);
                if (placed != nullptr && placed->pinned) {
                    pin(c, demand, index_.at(placed->node));
                } else if (is_joined(c)) {
                    joined[group_[c]].demands.push_back(std::move(demand));
                } else {
                    single.push_back({.demands = {std::move(demand)}});
                }
            }
        }
        for (auto& [group, unit] : joined) finish_unit(std::move(unit), group);
        for (Unit& unit : single) finish_unit(std::move(unit), std::nullopt);
    }

    void pin(std::size_t component, const Demand& demand, std::size_t node) {
        loads_[node].add(demand.claim);
        anchors_[group_[component]].insert(node);
        ReplicaDecision decision = start_decision(demand);
        decision.node = nodes_[node]->id;
        decision.reason = "stays";
        decision.score = score(node, loads_[node]);
        decision.candidates.emplace_back(nodes_[node]->name, decision.score);
        pinned_.push_back(std::move(decision));
    }

    void finish_unit(Unit unit, std::optional<std::size_t> group) {
        for (const Demand& demand : unit.demands) {
            unit.claim.cpu_milli += demand.claim.cpu_milli;
            unit.claim.memory_bytes += demand.claim.memory_bytes;
            const Claim& claim = demand.claim;
            unit.claim.devices.insert(unit.claim.devices.end(), claim.devices.begin(), claim.devices.end());
            unit.claim.host_ports.insert(
                unit.claim.host_ports.end(), claim.host_ports.begin(), claim.host_ports.end()
            );
        }
        const auto anchors = group ? anchors_.find(*group) : anchors_.end();
        std::map<std::size_t, std::size_t> homes;
        for (const Demand& demand : unit.demands) {
            const ExistingPlacement* placed = existing(demand.component->name, demand.replica);
            if (placed != nullptr) ++homes[index_.at(placed->node)];
        }
        for (std::size_t node = 0; node < nodes_.size(); ++node) {
            if (anchors != anchors_.end() && (anchors->second.size() > 1 || !anchors->second.contains(node)))
                continue;
            const bool fits =
                std::all_of(unit.demands.begin(), unit.demands.end(), [&](const Demand& demand) {
                    const ExistingPlacement* placed = existing(demand.component->name, demand.replica);
                    const bool stays = placed != nullptr && index_.at(placed->node) == node;
                    return suits(*nodes_[node], demand, engine_, stays);
                });
            if (fits) unit.nodes.push_back(node);
        }
        // The group's home is where most of it is.
        std::size_t most = 0;
        for (const auto& [node, count] : homes) {
            if (count <= most || std::find(unit.nodes.begin(), unit.nodes.end(), node) == unit.nodes.end())
                continue;
            most = count;
            unit.home = node;
        }
        unit_anchor_.push_back(anchors == anchors_.end() ? std::set<std::size_t>{} : anchors->second);
        units_.push_back(std::move(unit));
    }

    ReplicaDecision start_decision(const Demand& demand) const {
        ReplicaDecision decision;
        decision.component = demand.component->name;
        decision.replica = demand.replica;
        decision.engine = engine_;
        decision.label_value = demand.label_value;
        decision.claim = demand.claim;
        return decision;
    }

    double score(std::size_t node, const Load& after) const {
        const auto share = [](std::uint64_t taken, std::uint64_t capacity) {
            return capacity == 0 ? 0.5
                                 : std::min(1.0, static_cast<double>(taken) / static_cast<double>(capacity));
        };
        return 1.0 - 0.5 * share(after.cpu_milli, nodes_[node]->cpu_milli) -
               0.5 * share(after.memory_bytes, nodes_[node]->memory_bytes);
    }

    ReplicaDecision decide(const Unit& unit, const Demand& demand, std::optional<std::size_t> where) const {
        ReplicaDecision decision = start_decision(demand);
        std::vector<std::pair<double, std::size_t>> candidates;
        std::vector<std::pair<std::vector<Failure>, std::size_t>> refused;
        for (std::size_t node = 0; node < nodes_.size(); ++node) {
            const bool possible = std::find(unit.nodes.begin(), unit.nodes.end(), node) != unit.nodes.end();
            if (possible && has_room(*nodes_[node], loads_[node], unit.claim)) {
                Load after = loads_[node];
                after.add(unit.claim);
                candidates.emplace_back(score(node, after), node);
                if (where) continue;
            }
            auto failed = explain(unit, demand, node, where ? loads_[node] : final_loads_[node]);
            if (!failed.empty()) refused.emplace_back(std::move(failed), node);
        }
        std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        });
        for (const auto& [value, node] : candidates)
            decision.candidates.emplace_back(nodes_[node]->name, value);
        add_rejections(decision, refused, where.has_value());
        if (where) {
            Load after = loads_[*where];
            after.add(unit.claim);
            decision.node = nodes_[*where]->id;
            decision.score = score(*where, after);
            decision.reason = unit.home == *where ? "stays" : reason_of(unit, demand, candidates.size());
        } else {
            decision.reason = why_nowhere(unit, demand);
        }
        return decision;
    }

    static std::string reason_of(const Unit& unit, const Demand& demand, std::size_t candidates) {
        if (unit.demands.size() > 1)
            return "same node as " + others(unit, *demand.component) + " (communication)";
        return candidates == 1 ? "the only node that fits" : "fits best";
    }

    /// Names of the unit's other components: "backend, cache".
    static std::string others(const Unit& unit, const Component& self) {
        std::string text;
        std::set<std::string_view> seen;
        for (const Demand& demand : unit.demands) {
            if (demand.component == &self || !seen.insert(demand.component->name).second) continue;
            text += (text.empty() ? "" : ", ") + demand.component->name;
        }
        return text.empty() ? "its other replicas" : text;
    }

    /// The rules that keep `demand` off the node: its own first, then those of the group it must stay with.
    std::vector<Failure> explain(const Unit& unit, const Demand& demand, std::size_t node, const Load& load)
        const {
        auto own = failures(*nodes_[node], load, demand, demand.claim, engine_, request_.now, {});
        if (!own.empty()) return own;
        const std::size_t number = static_cast<std::size_t>(&unit - units_.data());
        const std::set<std::size_t>& anchors = unit_anchor_[number];
        if (anchors.size() > 1) {
            return {
                {.rule = Rule::communication,
                 .message = "communication: joined to components on different nodes"}
            };
        }
        if (!anchors.empty() && !anchors.contains(node)) {
            const std::string& name = nodes_[*anchors.begin()]->name;
            return {
                {.rule = Rule::communication,
                 .message = "communication: must be on " + name + ", with what it talks to"}
            };
        }
        for (const Demand& other : unit.demands) {
            if (other.component == demand.component && other.replica == demand.replica) continue;
            auto failed = failures(*nodes_[node], load, other, other.claim, engine_, request_.now, {});
            if (failed.empty()) continue;
            return {
                {.rule = Rule::communication,
                 .message = "communication: " + other.component->name + " must be on the same node; " +
                            failed.front().message}
            };
        }
        return failures(
            *nodes_[node], load, demand, unit.claim, engine_, request_.now, others(unit, *demand.component)
        );
    }

    void add_rejections(
        ReplicaDecision& decision,
        std::vector<std::pair<std::vector<Failure>, std::size_t>>& refused,
        bool placed
    ) const {
        // Closest: fewest rules in the way, then the latest of them, then the smallest gap.
        const auto gap = [](const Failure& f) {
            return f.needed == 0 ? 1.0
                                 : 1.0 - static_cast<double>(f.available) / static_cast<double>(f.needed);
        };
        const auto distance = [&](const std::vector<Failure>& f) {
            return std::make_tuple(f.size(), -static_cast<int>(f.front().rule), gap(f.front()));
        };
        std::size_t closest = refused.size();
        for (std::size_t i = 0; !placed && i < refused.size(); ++i) {
            if (closest == refused.size() || distance(refused[i].first) < distance(refused[closest].first))
                closest = i;
        }
        for (std::size_t i = 0; i < refused.size(); ++i) {
            const Failure& first = refused[i].first.front();
            Rejection rejection;
            rejection.node = nodes_[refused[i].second]->id;
            rejection.node_name = nodes_[refused[i].second]->name;
            rejection.rule = first.rule;
            rejection.message = first.message;
            if (first.rule == Rule::cpu || first.rule == Rule::memory) {
                rejection.needed = first.needed;
                rejection.available = first.available;
            }
            if (i == closest) rejection.relaxation = relaxation(refused[i].first);
            decision.rejections.push_back(std::move(rejection));
        }
    }

    /// What would make the node fit; only where everything that is in the way can be named.
    static std::string relaxation(const std::vector<Failure>& failed) {
        std::string amounts;
        for (const Failure& f : failed) {
            const bool amount = f.rule == Rule::cpu || f.rule == Rule::memory;
            if (f.relaxed.empty() || (!amount && failed.size() > 1)) return {};
            switch (f.rule) {
                case Rule::architecture:
                    return f.relaxed + " would fit";
                case Rule::label:
                    return "would fit with the label " + f.relaxed;
                case Rule::device:
                    return "would fit with one more " + f.relaxed;
                case Rule::host_port:
                    return "would fit without host port " + f.relaxed;
                default:
                    break;
            }
            if (failed.size() > 1)
                amounts += (amounts.empty() ? "" : ", ") + std::string(to_string(f.rule)) + " ";
            amounts += f.relaxed;
        }
        return amounts.empty() ? std::string() : amounts + " would fit";
    }

    std::string why_nowhere(const Unit& unit, const Demand& demand) const {
        if (nodes_.empty()) return "no node has joined yet";
        const auto has_engine = [&](const Node* node) {
            const bool is_kubernetes = node->engine == "kubernetes";
            return !node->engine.empty() && is_kubernetes == (engine_ == Engine::kubernetes);
        };
        if (std::none_of(nodes_.begin(), nodes_.end(), has_engine)) {
            return std::string("no target runs ") + (engine_ == Engine::kubernetes ? "kubernetes" : "docker");
        }
        std::set<std::string> values;
        for (const Demand& member : unit.demands) {
            if (!member.label_value.empty()) values.insert(member.label_value);
        }
        const std::string considered = " (" + std::to_string(nodes_.size()) + " considered)";
        if (values.size() > 1) {
            return "no node fits" + considered + ": " + demand.component->name + ", " +
                   others(unit, *demand.component) +
                   " stay on one node because they communicate, but ask for several label values";
        }
        if (!demand.label_value.empty()) {
            return "no node fits for " + demand.component->requirements.node_label->key + "=" +
                   demand.label_value + considered;
        }
        return "no node fits" + considered;
    }

    const PlaceRequest& request_;
    const Application& application_;
    Engine engine_;
    SearchLimits limits_;
    Binding binding_;
    std::vector<const Node*> nodes_;
    std::map<NodeId, std::size_t> index_;
    std::vector<Load> loads_;        ///< of others and of what is pinned
    std::vector<Load> final_loads_;  ///< with everything that was placed
    std::vector<std::size_t> group_;
    std::map<std::size_t, std::set<std::size_t>> anchors_;
    std::vector<std::set<std::size_t>> unit_anchor_;
    std::vector<Unit> units_;
    std::vector<ReplicaDecision> pinned_;
};

std::size_t placed(const PlaceResult& result) {
    return static_cast<std::size_t>(std::count_if(
        result.decisions.begin(),
        result.decisions.end(),
        [](const ReplicaDecision& decision) { return decision.node.has_value(); }
    ));
}

/// Bigger is better: placed, staying, score.
auto quality(const PlaceResult& result) {
    std::size_t placed = 0;
    std::size_t staying = 0;
    double score = 0;
    for (const ReplicaDecision& decision : result.decisions) {
        if (!decision.node) continue;
        ++placed;
        if (decision.reason == "stays") ++staying;
        score += decision.score;
    }
    return std::make_tuple(placed, staying, score);
}

/// On one node what talks to each other, if everything fits so; else apart where the relays can join it.
PlaceResult solve(
    const Topology& topology, const PlaceRequest& request, Engine engine, const SearchLimits& limits
) {
    PlaceResult together = Placement(topology, request, engine, limits, Binding::all).solve();
    if (engine != Engine::docker || together.complete() || !has_reachable_edge(*request.application))
        return together;
    PlaceResult apart = Placement(topology, request, engine, limits, Binding::needed).solve();
    return placed(apart) > placed(together) ? apart : together;
}

}  // namespace

PlaceResult CapacityMatchmaker::place(const Topology& topology, const PlaceRequest& request) const {
    if (!request.application) return {};
    const auto engine = fixed_engine(*request.application);
    if (engine) return solve(topology, request, *engine, limits_);
    // What runs keeps its engine.
    for (const ExistingPlacement& placed : request.existing) {
        const auto node = std::find_if(topology.nodes.begin(), topology.nodes.end(), [&](const Node& n) {
            return n.id == placed.node;
        });
        if (node == topology.nodes.end()) continue;
        const Engine running = node->engine == "kubernetes" ? Engine::kubernetes : Engine::docker;
        return solve(topology, request, running, limits_);
    }
    PlaceResult docker = solve(topology, request, Engine::docker, limits_);
    PlaceResult kubernetes = solve(topology, request, Engine::kubernetes, limits_);
    // With nothing placed either way, explain what most nodes run.
    if (std::get<0>(quality(kubernetes)) == 0) return docker;
    return quality(kubernetes) >= quality(docker) ? kubernetes : docker;
}

}  // namespace icos::matchmaker
