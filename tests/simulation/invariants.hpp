// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "lease_model.hpp"
#include "sim_network.hpp"
#include "sim_node.hpp"
#include "sim_user.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace icos::sim {

/// What must hold. Everything is checked when it happens (each act on a container, each frame, each start of
/// the controller), the last group once faults have ended and the system had time to settle:
/// - a healthy container is ended by an agent only if its user asked for it or its node was away long enough
/// to be
///   given up; and what was ended without a reason is never made again as it was;
/// - a healthy copy goes for a move only when another node has a healthy one (an exclusive replica moves the
///   other way round, and only when it is drained);
/// - of an exclusive replica two containers never run at once;
/// - what keeps data where it is never begins anew on another node;
/// - nothing moves away from nodes that went together with most others;
/// - the placements on a node never take more than it has;
/// - a set that a node reported as accepted is still there when it says hello again;
/// - a controller sends nothing to a node whose hello shows the digest of what it would send;
/// - an acknowledged application is listed, a deleted one is not;
/// - settled: each replica runs on exactly one node, nothing else exists anywhere.
class Invariants {
public:
    Invariants(World& world, SimNetwork& network, SimUser& user);

    void watch(SimNode& node);
    /// Most nodes went at once (or, empty, begin to come back): nothing of theirs may get another home.
    void on_mass_loss(const std::set<std::string>& nodes);
    /// Whether something on the node depends on its agent to end it.
    bool runs_exclusive(SimNode& node) const;

    /// Once faults have healed and `settle` has passed.
    void check_settled(const std::vector<std::unique_ptr<SimNode>>& nodes, const std::string& apps_json);

private:
    struct Contact {
        SimTime last_frame{-1};
        SimTime given_up_at{-1};  ///< when it had last been silent for long enough to be called lost
    };
    struct Log {
        std::string accepted;           ///< digest of the last set it reported as accepted
        std::set<std::string> offered;  ///< sent to it since
    };
    struct Wire {
        std::string node;
        std::string hello_digest;
        bool desired_seen = false;
    };
    void on_container(SimNode& node, const SimEngine::Change& change);
    const ComponentSpec* spec_of(const SimContainer& container) const;
    void on_start(SimNode& node, const SimContainer& container);
    void on_removed(SimNode& node, const SimContainer& container);
    void on_death(SimNode& node, const SimContainer& container);
    void check_home(SimNode& node, const SimContainer& container, const ComponentSpec& spec);
    void on_end_by_agent(SimNode& node, const SimContainer& container, const std::string& word);
    /// Another node has, or had a moment ago, a copy of the same service of the same replica.
    bool has_other_copy(const SimNode& node, const SimContainer& container) const;
    void on_create(SimNode& node, const SimContainer& container);
    void on_frame(const SimNetwork::SentFrame& frame);
    void on_control(const SimNetwork::SentFrame& frame, std::string_view json);
    void touch(const std::string& node);

    World& world_;
    SimUser& user_;
    LeaseModel leases_;
    std::vector<SimNode*> nodes_;
    std::map<std::string, Contact> contacts_;
    std::map<std::string, Log> logs_;
    std::map<std::uint64_t, Wire> wires_;
    struct Home {
        std::string node;
        SimTime since{};
    };
    struct MassLoss {
        std::set<std::string> nodes;  ///< that were there when it began
        SimTime since{};
    };
    std::map<std::string, Home> homes_;  ///< replica of a service -> where it was made last
    MassLoss mass_loss_;
    std::map<std::string, SimTime> started_;  ///< container -> virtual time of its last start
    using Update = std::tuple<std::string, std::string, std::string>;  ///< application, component, revision
    std::set<Update> taken_back_;                                      ///< at least by one node
    std::set<std::string> ended_for_no_reason_;                        ///< "node placement revision"
};

/// Application and component of a container, by its labels.
std::string app_of(const SimContainer& container);
std::string component_of(const SimContainer& container);

}  // namespace icos::sim
