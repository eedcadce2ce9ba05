// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/ids.hpp"
#include "icos/core/time.hpp"
#include "icos/ports/executor.hpp"
#include "icos/ports/matchmaker.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the Job Manager knows, in memory. Rows of the store are its durable form (rows.hpp).
namespace icos::job_manager {

enum class Desired { running, stopped, deleted };
std::string_view to_string(Desired desired) noexcept;

/// Word for an application or a component as a whole.
enum class AppState { pending, deploying, running, degraded, failed, stopping, stopped, deleting };
std::string_view to_string(AppState state) noexcept;

/// What scaling and remediation change without touching the descriptor.
struct Overlay {
    std::optional<std::uint32_t> replicas{};
    double resource_factor = 1.0;
    std::vector<std::string> excluded_nodes{};
};

using ReplicaKey = std::pair<std::string, std::uint32_t>;  ///< component, replica

/// What is known of a stored generation beside its text. Rows of earlier versions lack time and actor.
struct RevisionInfo {
    std::optional<WallTime> at{};
    std::string actor{};
    std::optional<std::uint32_t> components{};
};

struct App {
    AppId id{};
    std::string project{};
    std::string name{};
    std::string name_space{};
    std::string description{};
    std::uint64_t generation = 1;
    std::uint64_t version = 1;  ///< grows with every change of what is wanted; part of the ETag
    Desired desired = Desired::running;
    WallTime created_at{};
    WallTime updated_at{};
    std::map<std::string, Overlay> overlays{};
    AppState state = AppState::pending;  ///< as last recorded in an event
    WallTime since{};
    std::uint32_t replicas = 0;  ///< of the last plan

    // Beside the row:
    std::string text{};                                          ///< of the current generation
    std::map<std::uint64_t, RevisionInfo> stored_generations{};  ///< their texts are in the store only
    /// The current generation and those that placements still run.
    std::map<std::uint64_t, std::shared_ptr<const descriptor::Application>> revisions{};
    std::map<ReplicaKey, ReplicaDecision> waiting{
    };  ///< replicas (or updates of them) without a node, and why
    bool needs_planning = true;  ///< a replica may be without a node, or with old content

    std::shared_ptr<const descriptor::Application> application() const { return revisions.at(generation); }
};

/// One replica of a component on one node.
struct Placement {
    PlacementId id{};
    AppId app{};
    std::string component{};
    std::uint32_t replica = 0;
    NodeId node{};
    std::string node_name{};
    std::string cluster{};
    descriptor::Engine engine = descriptor::Engine::docker;
    std::string orchestrator = "icos";
    std::string label_value{};
    std::uint64_t generation = 1;  ///< whose content it is to run
    std::string digest{};
    Claim claim{};
    bool removing = false;
    bool retiring = false;  ///< runs on until its successor is ready, then it is removed
    WallTime wanted_at{};   ///< when its content or its wanted state last changed
    WallTime since{};       ///< when its observed state last changed
    std::optional<agent::ObservedPlacement> observed{};  ///< set = something of it exists on the node
    /// Since when its successor gets the connections, and since when everybody who makes them knows. Not
    /// stored.
    std::optional<BootTime> superseded_at{};
    std::optional<BootTime> left_at{};
    /// It was left and kept after all: what else was left of its replica has no reason to return any more.
    /// Not stored.
    bool has_returned = false;
    /// The node durably holds a plan without it. Not stored: each controller run asks again.
    bool accepted_without = false;
};

/// What is known of one target, from its reports in this run. Survives a reload from the store.
struct Target {
    std::shared_ptr<const TargetPlan> offered{};
    std::string planned{};     ///< digest of the latest plan, offered or about to be
    std::string accepted{};    ///< digest of the plan that the target holds durably
    std::string problem{};     ///< why the last plan was not taken
    bool is_known = false;     ///< it has said what it holds since it answered again or was sent a plan
    bool is_complete = false;  ///< `observed` is everything there is: a full report came
    std::map<PlacementId, agent::ObservedPlacement> observed{};
};

/// Applications and placements with their indices. Loop-confined.
class State {
public:
    App* find(std::string_view project, std::string_view name);
    const App* find(std::string_view project, std::string_view name) const;
    App* find(const AppId& id);
    const App* find(const AppId& id) const;
    Placement* find(const PlacementId& id);
    const Placement* find(const PlacementId& id) const;

    App& add(App app);
    Placement& add(Placement placement);
    void remove(const AppId& id);
    void remove(const PlacementId& id);
    void clear();

    const std::map<AppId, App>& apps() const noexcept { return apps_; }
    std::map<AppId, App>& apps() noexcept { return apps_; }
    const std::map<PlacementId, Placement>& placements() const noexcept { return placements_; }
    /// Of an application: by component, replica, then those that leave last.
    std::vector<Placement*> of_app(const AppId& id);
    std::vector<const Placement*> of_app(const AppId& id) const;
    std::vector<Placement*> on_node(const NodeId& id);
    std::vector<const Placement*> on_node(const NodeId& id) const;
    std::set<NodeId> nodes() const;
    /// The one that is meant to stay: neither removing nor retiring.
    Placement* home(const AppId& app, const std::string& component, std::uint32_t replica);
    const Placement* home(const AppId& app, const std::string& component, std::uint32_t replica) const;

private:
    std::map<AppId, App> apps_;
    std::map<std::pair<std::string, std::string>, AppId> names_;
    std::map<PlacementId, Placement> placements_;
    std::map<AppId, std::set<PlacementId>> by_app_;
    std::map<NodeId, std::set<PlacementId>> by_node_;
};

}  // namespace icos::job_manager
