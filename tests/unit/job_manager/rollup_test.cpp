// SPDX-License-Identifier: Apache-2.0
#include "job_manager/rollup.hpp"

#include <catch2/catch.hpp>

#include <array>

using namespace icos;
using namespace icos::job_manager;
using agent::PlacementState;

namespace {

constexpr std::array kAll{
    PlacementState::pending,
    PlacementState::preparing,
    PlacementState::starting,
    PlacementState::running,
    PlacementState::unhealthy,
    PlacementState::restarting,
    PlacementState::stopped,
    PlacementState::completed,
    PlacementState::failed,
    PlacementState::removing
};

Node node(NodeState state = NodeState::ready) {
    Node made;
    made.id = NodeId{"n1"};
    made.name = "edge-1";
    made.state = state;
    return made;
}

Placement placement(PlacementState state, std::string running = "d1", std::string wanted = "") {
    Placement made;
    made.component = "web";
    made.node_name = "edge-1";
    made.digest = "d1";
    made.observed.emplace();
    made.observed->state = state;
    made.observed->digest = std::move(running);
    made.observed->wanted_digest = std::move(wanted);
    return made;
}

ReplicaView replica(ReplicaState state, std::string reason = "") {
    ReplicaView view;
    view.component = "web";
    view.state = state;
    view.reason = std::move(reason);
    view.is_ready = state == ReplicaState::running || state == ReplicaState::completed;
    return view;
}

ReplicaView unplaced() {
    ReplicaDecision decision;
    decision.component = "web";
    decision.reason = "no node fits (1 considered)";
    return view_of(decision);
}

AppState running(std::vector<ReplicaView> replicas) {
    return roll_up(Desired::running, replicas).state;
}

}  // namespace

TEST_CASE(
    "with the wanted content a replica is what its node says, and ready when it runs or completed",
    "[job_manager]"
) {
    const Node at = node();
    for (const PlacementState state : kAll) {
        const ReplicaView view = view_of(placement(state), Desired::running, &at, {});
        INFO(to_string(state));
        if (state == PlacementState::stopped) {
            CHECK(view.state == ReplicaState::pending);
        } else {
            CHECK(to_string(view.state) == agent::to_string(state));
        }
        CHECK(view.is_ready == (state == PlacementState::running || state == PlacementState::completed));
    }
}

TEST_CASE("a stopped application's replica is what its node says and never ready", "[job_manager]") {
    const Node at = node();
    for (const PlacementState state : kAll) {
        const ReplicaView view = view_of(placement(state), Desired::stopped, &at, {});
        CHECK(to_string(view.state) == agent::to_string(state));
        CHECK_FALSE(view.is_ready);
    }
}

TEST_CASE("whatever it was, a replica on a lost or vanished node is unreachable", "[job_manager]") {
    const Node lost = node(NodeState::lost);
    for (const PlacementState state : kAll) {
        CHECK(view_of(placement(state), Desired::running, &lost, {}).state == ReplicaState::unreachable);
        const ReplicaView gone = view_of(placement(state), Desired::stopped, nullptr, {});
        CHECK(gone.state == ReplicaState::unreachable);
        CHECK(gone.reason == "edge-1 is no longer known");
        CHECK_FALSE(gone.is_ready);
    }
}

TEST_CASE("a replica on its way out is removing, and says whom it waits for", "[job_manager]") {
    const Node at = node();
    const Node lost = node(NodeState::lost);
    Placement leaving = placement(PlacementState::running);
    leaving.removing = true;

    CHECK(view_of(leaving, Desired::running, &at, {}).state == ReplicaState::removing);
    CHECK(view_of(leaving, Desired::running, &at, {}).is_leaving);
    CHECK(view_of(leaving, Desired::running, &lost, {}).reason == "waits for the node: edge-1 is lost");
    CHECK(
        view_of(placement(PlacementState::running), Desired::deleted, &at, {}).state == ReplicaState::removing
    );
}

TEST_CASE("a replica whose node has not heard of the wanted content is pending", "[job_manager]") {
    const Node at = node();
    const Node suspect = node(NodeState::suspect);
    Placement unseen = placement(PlacementState::running);
    unseen.observed.reset();

    CHECK(view_of(unseen, Desired::running, &at, {}).state == ReplicaState::pending);
    CHECK(view_of(unseen, Desired::running, &suspect, {}).reason == "edge-1 is suspect");
    const ReplicaView refused = view_of(unseen, Desired::running, &at, "the disk is full");
    CHECK(refused.reason == "edge-1 did not take the plan: the disk is full");
    CHECK(refused.reason_code == "node.plan_refused");
    CHECK(
        view_of(placement(PlacementState::running, "old"), Desired::running, &at, {}).state ==
        ReplicaState::pending
    );
    CHECK(
        view_of(placement(PlacementState::running, "old", "older"), Desired::running, &at, {}).state ==
        ReplicaState::pending
    );
}

TEST_CASE("old content that still runs is no success of the new one", "[job_manager]") {
    const Node at = node();
    Placement updating = placement(PlacementState::running, "old", "d1");

    CHECK(view_of(updating, Desired::running, &at, {}).state == ReplicaState::preparing);
    CHECK_FALSE(view_of(updating, Desired::running, &at, {}).is_ready);
    updating.observed->reason = "no such image";
    CHECK(view_of(updating, Desired::running, &at, {}).state == ReplicaState::running);
    CHECK_FALSE(view_of(updating, Desired::running, &at, {}).is_ready);
    const Placement first = placement(PlacementState::failed, "", "d1");
    CHECK(view_of(first, Desired::running, &at, {}).state == ReplicaState::failed);
}

TEST_CASE("a running application is as good as its worst replica", "[job_manager]") {
    using R = ReplicaState;
    const auto one = [](R state) { return running({replica(state)}); };
    CHECK(one(R::running) == AppState::running);
    CHECK(one(R::completed) == AppState::running);
    CHECK(one(R::pending) == AppState::deploying);
    CHECK(one(R::preparing) == AppState::deploying);
    CHECK(one(R::starting) == AppState::deploying);
    CHECK(one(R::unhealthy) == AppState::degraded);
    CHECK(one(R::restarting) == AppState::degraded);
    CHECK(one(R::unreachable) == AppState::degraded);
    CHECK(one(R::failed) == AppState::failed);
    CHECK(running({unplaced()}) == AppState::pending);
    CHECK(running({}) == AppState::pending);

    CHECK(running({replica(R::running), replica(R::failed)}) == AppState::degraded);
    CHECK(running({replica(R::starting), replica(R::failed)}) == AppState::degraded);
    CHECK(running({unplaced(), replica(R::failed)}) == AppState::failed);
    CHECK(running({replica(R::running), unplaced()}) == AppState::degraded);
    CHECK(running({replica(R::starting), unplaced()}) == AppState::deploying);
    CHECK(running({replica(R::running), replica(R::starting)}) == AppState::deploying);
    CHECK(running({replica(R::unhealthy), replica(R::starting)}) == AppState::degraded);
}

TEST_CASE("replicas that leave do not count", "[job_manager]") {
    ReplicaView leaving = replica(ReplicaState::removing, "waits");
    leaving.is_leaving = true;

    const std::vector<ReplicaView> both{replica(ReplicaState::running), leaving};
    const Rollup rollup = roll_up(Desired::running, both);

    CHECK(rollup.state == AppState::running);
    CHECK(rollup.total == 1);
    CHECK(rollup.ready == 1);
    CHECK(rollup.reason.empty());
}

TEST_CASE("a stopped application is stopping until each replica stands still", "[job_manager]") {
    using R = ReplicaState;
    for (const R state :
         {R::pending,
          R::preparing,
          R::starting,
          R::running,
          R::unhealthy,
          R::restarting,
          R::failed,
          R::unreachable}) {
        INFO(to_string(state));
        const std::vector<ReplicaView> replicas{replica(R::stopped), replica(state)};
        CHECK(roll_up(Desired::stopped, replicas).state == AppState::stopping);
    }
    const std::vector<ReplicaView> still{replica(R::stopped), replica(R::completed), unplaced()};
    CHECK(roll_up(Desired::stopped, still).state == AppState::stopped);
    CHECK(roll_up(Desired::stopped, {}).state == AppState::stopped);
}

TEST_CASE("a deleted application is deleting whatever its replicas are", "[job_manager]") {
    for (const ReplicaState state :
         {ReplicaState::running, ReplicaState::failed, ReplicaState::unreachable, ReplicaState::removing}) {
        const std::vector<ReplicaView> replicas{replica(state, "why")};
        CHECK(roll_up(Desired::deleted, replicas).state == AppState::deleting);
        CHECK(roll_up(Desired::deleted, replicas).reason == "web: why");
    }
}

TEST_CASE("the reason is that of the replica which decides the state", "[job_manager]") {
    const std::vector<ReplicaView> replicas{
        unplaced(), replica(ReplicaState::starting, "pulls"), replica(ReplicaState::failed, "no such image")
    };
    CHECK(roll_up(Desired::running, replicas).reason == "web: no such image");
    const std::vector<ReplicaView> waiting{replica(ReplicaState::running), unplaced()};
    CHECK(roll_up(Desired::running, waiting).reason == "web: no node fits (1 considered)");
    CHECK(roll_up(Desired::running, waiting).reason_code == "placement.no_node");
}
