// SPDX-License-Identifier: Apache-2.0
#include "job_manager/node_losses.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace icos;
using icos::job_manager::NodeLosses;

namespace {

constexpr Duration kSecond{1'000};
constexpr Duration kMinute{60'000};

/// Node i is in states[i].
Topology nodes(const std::vector<NodeState>& states) {
    Topology topology;
    for (std::size_t i = 0; i < states.size(); ++i) {
        Node node;
        node.id = NodeId{"n" + std::to_string(i)};
        node.name = node.id.value;
        node.state = states[i];
        topology.nodes.push_back(std::move(node));
    }
    return topology;
}

constexpr auto R = NodeState::ready;
constexpr auto S = NodeState::suspect;
constexpr auto L = NodeState::lost;

const std::set<NodeId> kNone{};

}  // namespace

TEST_CASE("one lost node of three is given up at once", "[job_manager][loss]") {
    NodeLosses losses({});
    losses.update(nodes({R, R, R}), BootTime(kSecond));
    losses.update(nodes({R, L, R}), BootTime(2 * kSecond));
    CHECK(losses.given_up() == std::set<NodeId>{NodeId{"n1"}});
    CHECK_FALSE(losses.is_mass_loss());
}

TEST_CASE("the only node is given up: nobody else can be right", "[job_manager][loss]") {
    NodeLosses losses({});
    losses.update(nodes({R}), BootTime(kSecond));
    losses.update(nodes({L}), BootTime(2 * kSecond));
    CHECK(losses.given_up().size() == 1);
}

TEST_CASE("a controller that starts waits a lease to see who else is gone", "[job_manager][loss]") {
    NodeLosses losses({});
    losses.update(nodes({L, R, R, R}), BootTime(kSecond));
    CHECK(losses.given_up() == kNone);
    CHECK(losses.look_again() == BootTime(31 * kSecond));
    SECTION("nobody") {
        losses.update(nodes({L, R, R, R}), BootTime(31 * kSecond));
        CHECK(losses.given_up() == std::set<NodeId>{NodeId{"n0"}});
    }
    SECTION("most: it had ended in the middle of a mass loss") {
        losses.update(nodes({L, S, S, R}), BootTime(15 * kSecond));
        losses.update(nodes({L, S, S, R}), BootTime(31 * kSecond));
        CHECK(losses.given_up() == kNone);
        losses.update(nodes({L, L, L, R}), BootTime(32 * kSecond));
        CHECK(losses.is_mass_loss());
        CHECK(losses.given_up() == kNone);
    }
    SECTION("an operator knows better") {
        auto gone = nodes({L, R, R, R});
        gone.nodes[0].confirmed_lost = true;
        losses.update(gone, BootTime(2 * kSecond));
        CHECK(losses.given_up().size() == 1);
    }
}

TEST_CASE(
    "while others are silent too, a lost node is not given up before it is clear", "[job_manager][loss]"
) {
    NodeLosses losses({});
    losses.update(nodes({R, R, R}), BootTime(kSecond));
    losses.update(nodes({L, S, R}), BootTime(kSecond));
    CHECK(losses.given_up() == kNone);
    SECTION("they answer again") {
        losses.update(nodes({L, R, R}), BootTime(2 * kSecond));
        CHECK(losses.given_up() == std::set<NodeId>{NodeId{"n0"}});
    }
    SECTION("they go too: a mass loss") {
        losses.update(nodes({L, L, R}), BootTime(2 * kSecond));
        CHECK(losses.is_mass_loss());
        CHECK(losses.given_up() == kNone);
    }
}

TEST_CASE(
    "after a mass loss nothing is given up until 70 % are back, and the others had as long as a lease",
    "[job_manager][loss]"
) {
    NodeLosses losses({});
    const std::vector<NodeState> all(10, R);
    losses.update(nodes(all), BootTime(kSecond));
    std::vector<NodeState> states(10, L);
    losses.update(nodes(states), BootTime(2 * kSecond));
    REQUIRE(losses.is_mass_loss());
    for (std::size_t i = 0; i < 6; ++i) states[i] = R;
    losses.update(nodes(states), BootTime(5 * kMinute));
    CHECK(losses.given_up() == kNone);
    states[6] = R;
    losses.update(nodes(states), BootTime(5 * kMinute + kSecond));
    CHECK_FALSE(losses.is_mass_loss());
    CHECK(losses.given_up() == kNone);
    states[7] = R;
    losses.update(nodes(states), BootTime(5 * kMinute + 20 * kSecond));
    CHECK(losses.given_up() == kNone);
    losses.update(nodes(states), BootTime(5 * kMinute + 31 * kSecond));
    CHECK(losses.given_up() == std::set<NodeId>{NodeId{"n8"}, NodeId{"n9"}});
}

TEST_CASE("who is lost only after a mass loss ended is given up at once", "[job_manager][loss]") {
    NodeLosses losses({});
    std::vector<NodeState> states(10, L);
    losses.update(nodes(states), BootTime(kSecond));
    REQUIRE(losses.is_mass_loss());
    states.assign(10, R);
    losses.update(nodes(states), BootTime(2 * kMinute));
    states[3] = L;
    losses.update(nodes(states), BootTime(2 * kMinute + kSecond));
    CHECK(losses.given_up() == std::set<NodeId>{NodeId{"n3"}});
}

TEST_CASE("a mass loss that lasts gives up one node a minute after ten minutes", "[job_manager][loss]") {
    NodeLosses losses({});
    const auto gone = nodes({L, L, L, R});
    losses.update(gone, BootTime(kSecond));
    losses.update(gone, BootTime(9 * kMinute));
    CHECK(losses.given_up() == kNone);
    losses.update(gone, BootTime(10 * kMinute + 2 * kSecond));
    CHECK(losses.given_up().size() == 1);
    losses.update(gone, BootTime(10 * kMinute + 30 * kSecond));
    CHECK(losses.given_up().size() == 1);
    losses.update(gone, BootTime(11 * kMinute + 2 * kSecond));
    CHECK(losses.given_up().size() == 2);
}

TEST_CASE("a loss that an operator confirmed is given up whatever else goes on", "[job_manager][loss]") {
    NodeLosses losses({});
    auto gone = nodes({L, L, L, R});
    losses.update(gone, BootTime(kSecond));
    REQUIRE(losses.given_up() == kNone);
    gone.nodes[1].confirmed_lost = true;
    losses.update(gone, BootTime(2 * kSecond));
    CHECK(losses.given_up() == std::set<NodeId>{NodeId{"n1"}});
}

TEST_CASE("nodes that were never ready or left the fleet do not count", "[job_manager][loss]") {
    NodeLosses losses({});
    losses.update(nodes({R, NodeState::joining, NodeState::joining, R}), BootTime(kSecond));
    losses.update(nodes({L, NodeState::joining, NodeState::joining, R}), BootTime(kSecond));
    CHECK(losses.given_up().size() == 1);
    losses.update(nodes({}), BootTime(2 * kSecond));
    CHECK(losses.given_up() == kNone);
}
