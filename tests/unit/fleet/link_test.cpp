// SPDX-License-Identifier: Apache-2.0
#include "fleet/error.hpp"
#include "fleet_world.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

namespace icos::fleet::test {
namespace {

agent::ObservedPlacement observed(const std::string& id, agent::PlacementState state) {
    agent::ObservedPlacement out;
    out.placement = PlacementId{id};
    out.state = state;
    return out;
}

}  // namespace

TEST_CASE("a hello is answered with a welcome", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");

    agent.say_hello();

    const auto welcome = agent.welcome();
    REQUIRE(welcome.has_value());
    CHECK(welcome->controller_name == "vm-1");
    CHECK(welcome->lease_ms == 30'000);
    CHECK(welcome->controllers == std::vector<std::string>{"vm-1:7443"});
    CHECK(welcome->observed_digest.empty());
    CHECK(welcome->wall_ms >= to_ms(world.node("edge-1")->joined_at));
    CHECK(world.metric("icos_fleet_links") == 1);
}

TEST_CASE("a link that never says hello is closed", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");

    world.runtime.advance(Duration{11'000});

    CHECK_FALSE(agent.is_connected());
    CHECK(agent.served);
    CHECK(world.state_of("edge-1") == NodeState::joining);
}

TEST_CASE("a node that nobody planned for is told nothing, least of all an empty set", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.hello.accepted_digest = "what it had before";

    agent.say_hello();
    world.runtime.advance(std::chrono::minutes(5));

    CHECK(agent.desired().empty());
}

TEST_CASE("the desired set goes out whole once, then in steps", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    const TargetId target{id.value};
    const auto first = plan({placement("a", "1")});
    world.executor().offer(target, first);
    FakeAgent agent(world, "edge-1");
    agent.hello.accepted_digest = "the set of long ago";
    agent.say_hello();
    agent.say(agent::encode(agent::Observed{"", "d1", {}, {}}));
    REQUIRE(agent.desired().size() == 1);
    CHECK(world.listener.unknowns == 2);  // as it answers, and as the set goes out
    CHECK(agent.desired().at(0).base.empty());
    CHECK(agent.desired().at(0).digest == first->digest);

    agent.say(agent::encode(agent::Accepted{first->digest, {}}));
    const auto second = plan({placement("a", "1"), placement("b", "1")});
    world.executor().offer(target, second);
    world.runtime.run_until_idle();

    REQUIRE(agent.desired().size() == 2);
    CHECK(agent.desired().at(1).base == first->digest);
    REQUIRE(agent.desired().at(1).upsert.size() == 1);
    CHECK(agent.desired().at(1).upsert.at(0).placement.value == "b");
    const std::vector<std::pair<TargetId, std::string>> told{
        {target, "the set of long ago"}, {target, first->digest}
    };
    CHECK(world.listener.accepted_digests == told);
    CHECK(world.metric("icos_fleet_desired_sent_total{form=\"full\"}") == 1);
    CHECK(world.metric("icos_fleet_desired_sent_total{form=\"step\"}") == 1);
}

TEST_CASE("a node that has the set already is not sent it again", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    const auto current = plan({placement("a", "1")});
    world.executor().offer(TargetId{id.value}, current);
    FakeAgent agent(world, "edge-1");
    agent.hello.accepted_digest = current->digest;

    agent.say_hello();
    agent.say(agent::encode(agent::Observed{"", "d1", {}, {}}));
    world.executor().offer(TargetId{id.value}, current);
    world.runtime.advance(Duration{1000});

    CHECK(agent.desired().empty());
    CHECK(world.listener.accepted_digests.size() == 1);
    CHECK(world.listener.unknowns == 1);  // as it answers
}

TEST_CASE("what a node holds counts once it is known what there is on it", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    const auto hold = [&world](const std::string& observed_digest) {
        auto agent = std::make_unique<FakeAgent>(world, "edge-1");
        agent->hello.accepted_digest = "held";
        agent->hello.observed_digest = observed_digest;
        agent->say_hello();
        return agent;
    };
    {
        const auto agent = hold("d1");
        CHECK(world.listener.accepted_digests.empty());
        agent->say(agent::encode(agent::Observed{"", "d1", {}, {}}));
        CHECK(world.listener.reports.size() == 1);
        CHECK(world.listener.accepted_digests.size() == 1);
    }
    SECTION("the same as before: at once") {
        const auto agent = hold("d1");
        CHECK(world.listener.accepted_digests.size() == 2);
    }
    SECTION("something else by now: with its report") {
        const auto agent = hold("d2");
        CHECK(world.listener.accepted_digests.size() == 1);
        agent->say(agent::encode(agent::Observed{"d1", "d2", {}, {}}));
        CHECK(world.listener.accepted_digests.size() == 2);
    }
}

TEST_CASE("what a node holds counts with the report that was asked for again", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.hello.accepted_digest = "old";
    agent.say_hello();
    agent.say(agent::encode(agent::Observed{"unknown", "d2", {}, {}}));
    agent.say(agent::encode(agent::Accepted{"new", {}}));
    CHECK(world.listener.accepted_digests.empty());

    agent.say(agent::encode(agent::Observed{"", "d2", {}, {}}));

    REQUIRE(world.listener.accepted_digests.size() == 1);
    CHECK(world.listener.accepted_digests.at(0).second == "new");
}

TEST_CASE("a node that asks for it gets the whole desired set", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    const auto first = plan({placement("a", "1")});
    world.executor().offer(TargetId{id.value}, first);
    FakeAgent agent(world, "edge-1");
    agent.hello.accepted_digest = first->digest;
    agent.say_hello();
    world.executor().offer(TargetId{id.value}, plan({placement("a", "1"), placement("b", "1")}));
    world.runtime.run_until_idle();
    REQUIRE(agent.desired().size() == 1);
    REQUIRE_FALSE(agent.desired().at(0).base.empty());

    agent.say(agent::encode(agent::Resend{"desired"}));

    REQUIRE(agent.desired().size() == 2);
    CHECK(agent.desired().at(1).base.empty());
    CHECK(agent.desired().at(1).upsert.size() == 2);
}

TEST_CASE("a node that asks again and again is asked to wait", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    world.executor().offer(TargetId{id.value}, plan({placement("a", "1")}));
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    for (int i = 0; i < 200; ++i) agent.say(agent::encode(agent::Resend{"desired"}));

    CHECK(agent.desired().size() < 30);
    CHECK(world.metric("icos_fleet_desired_resends_total{cause=\"asked\"}") == 200);
}

TEST_CASE("a set that the node could not take is reported and tried again", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    const auto first = plan({placement("a", "1")});
    world.executor().offer(TargetId{id.value}, first);
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    agent.say(agent::encode(agent::Accepted{first->digest, "no space left on device"}));
    CHECK(world.listener.problems == std::vector<std::string>{"no space left on device"});
    CHECK(agent.desired().size() == 1);
    world.runtime.advance(Duration{31'000});

    CHECK(agent.desired().size() == 2);
}

TEST_CASE("what a node observes reaches the listener, whole and in steps", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.hello.observed_digest = "d1";
    agent.say_hello();

    agent.say(agent::encode(agent::Observed{"", "d1", {observed("a", agent::PlacementState::running)}, {}}));
    agent.say(agent::encode(agent::Observed{"d1", "d2", {}, {PlacementId{"a"}}}));

    REQUIRE(world.listener.reports.size() == 2);
    CHECK(world.listener.reports.at(0).full);
    CHECK(world.listener.reports.at(0).target.value == id.value);
    CHECK(world.listener.reports.at(0).upsert.at(0).state == agent::PlacementState::running);
    CHECK_FALSE(world.listener.reports.at(1).full);
    CHECK(world.listener.reports.at(1).removed == std::vector<PlacementId>{PlacementId{"a"}});
    CHECK(agent.of_type("resend").empty());
}

TEST_CASE("a step to a set that is not known is not applied but asked for as a whole", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    agent.say(
        agent::encode(agent::Observed{"unknown", "d2", {observed("a", agent::PlacementState::failed)}, {}})
    );
    agent.say(agent::encode(agent::Observed{"d2", "d3", {}, {}}));

    CHECK(world.listener.reports.empty());
    REQUIRE(agent.of_type("resend").size() == 1);
    CHECK(agent::decode<agent::Resend>(agent.of_type("resend").at(0)).value().what == "observed");
    agent.say(agent::encode(agent::Observed{"", "d3", {}, {}}));
    CHECK(world.listener.reports.size() == 1);
}

TEST_CASE("a reconnecting node is welcomed with what it reported last", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    {
        FakeAgent agent(world, "edge-1");
        agent.say_hello();
        agent.say(agent::encode(agent::Observed{"", "d1", {}, {}}));
    }

    FakeAgent again(world, "edge-1");
    again.say_hello();

    CHECK(again.welcome()->observed_digest == "d1");
    CHECK(world.metric("icos_fleet_link_reconnects_total") == 1);
    CHECK(world.event_messages("node.ready").size() == 1);  // it was never away
}

TEST_CASE("after a failed write every node reports anew", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    agent.say(agent::encode(agent::Observed{"", "d1", {}, {}}));

    world.store.failure = Error{store_errc::full, "the disk is full"};
    CHECK(world.call(http::Method::post, "/api/v1/tokens").code() == "store.full");
    world.runtime.advance(Duration{100});

    CHECK(agent.of_type("resend").size() == 1);
    CHECK(agent.is_connected());
    CHECK(world.state_of("edge-1") == NodeState::ready);
}

TEST_CASE("while writes go on failing, nodes are asked for their reports ever more rarely", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    agent.say(agent::encode(agent::Observed{"", "d1", {}, {}}));

    for (int i = 0; i < 200; ++i) {
        world.store.failure = Error{store_errc::full, "the disk is full"};
        world.call(http::Method::post, "/api/v1/tokens");
        world.runtime.advance(Duration{100});
    }
    const std::size_t asked = agent.of_type("resend").size();
    CHECK(asked >= 1);
    CHECK(asked < 20);

    // The last failure is made good as well.
    world.runtime.advance(Duration{31'000});
    CHECK(agent.of_type("resend").size() == asked + 1);
}

TEST_CASE("facts are stored when they change and only then", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    const std::uint64_t commits = world.store.commits();

    agent.say(agent::encode(agent::FactsChanged{agent.hello.facts}));
    CHECK(world.store.commits() == commits);

    agent::Facts facts = agent.hello.facts;
    facts.engine_version = "24.0";
    facts.memory_bytes /= 2;
    agent.say(agent::encode(agent::FactsChanged{facts}));

    CHECK(world.store.commits() == commits + 1);
    CHECK(world.node("edge-1")->engine_version == "24.0");
    CHECK(
        world.event_messages("node.facts_changed") ==
        std::vector<std::string>{"docker 20.10 -> docker 24.0, memory 8.0Gi -> 4.0Gi"}
    );
    CHECK(world.node("edge-1")->address == "192.0.2.7");
}

TEST_CASE("an engine that went away is shown in one word", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.hello.facts.engine.clear();
    agent.hello.facts.engine_version.clear();
    agent.hello.facts.engine_problem = "cannot connect to /var/run/docker.sock";

    agent.say_hello();

    const auto node = world.call(http::Method::get, "/api/v1/nodes/edge-1");
    CHECK(node.text("state") == "ready");
    CHECK(node.text("status") == "no engine");
    CHECK(node.text("engine_problem") == "cannot connect to /var/run/docker.sock");
}

TEST_CASE("a message that breaks the protocol ends the link, an unknown one does not", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    agent.say(R"({"type": "of_a_later_version", "x": 1})");
    CHECK(agent.is_connected());
    SECTION("not JSON") {
        agent.say("{");
    }
    SECTION("a wrong member") {
        agent.say(R"({"type": "accepted", "digest": 7})");
    }
    SECTION("a second hello") {
        agent.say_hello();
    }
    CHECK_FALSE(agent.is_connected());
    CHECK(agent.served);
}

TEST_CASE("a stream to a component goes over the node's link", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const TargetId target{world.join_node("edge-1").value};
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    auto opened = icos::test::run(
        world.runtime, world.executor().open_stream(target, "logs", R"({"placement": "p", "follow": false})")
    );
    REQUIRE(opened.has_value());
    world.runtime.run_until_idle();
    REQUIRE(agent.channels.size() == 1);
    CHECK(agent.channels.at(0)->arguments() == R"({"placement": "p", "follow": false})");
    REQUIRE(icos::test::run(world.runtime, agent.channels.at(0)->write("[]")).has_value());
    agent.channels.at(0)->finish();

    const auto line = icos::test::run(world.runtime, (*opened)->read());
    REQUIRE(line.has_value());
    CHECK(**line == "[]");
    const auto end = icos::test::run(world.runtime, (*opened)->read());
    REQUIRE(end.has_value());
    CHECK_FALSE(end->has_value());
}

TEST_CASE("a stream to a node that is away is refused with when it was seen", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const TargetId target{world.join_node("edge-1").value};

    const auto never = icos::test::run(world.runtime, world.executor().open_stream(target, "logs", "{}"));
    REQUIRE(never.has_error());
    CHECK(never.error().code == errc::unreachable);
    CHECK(never.error().detail == "node edge-1 is not connected");
    {
        FakeAgent agent(world, "edge-1");
        agent.say_hello();
    }
    world.runtime.advance(std::chrono::minutes(3));
    const auto away = icos::test::run(world.runtime, world.executor().open_stream(target, "logs", "{}"));
    REQUIRE(away.has_error());
    CHECK(away.error().detail == "node edge-1 is not connected; last seen 3 min ago");
    const auto unknown =
        icos::test::run(world.runtime, world.executor().open_stream(TargetId{"x"}, "logs", "{}"));
    CHECK(unknown.error().code == errc::not_found);
}

TEST_CASE("a stream to a node that fell silent is refused within seconds", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const TargetId target{world.join_node("edge-1").value};
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    agent.go_silent();
    world.runtime.advance(Duration{8'000});
    const BootTime before = world.runtime.boot();

    const auto refused = icos::test::run(world.runtime, world.executor().open_stream(target, "exec", "{}"));

    REQUIRE(refused.has_error());
    CHECK(refused.error().code == errc::unreachable);
    CHECK(world.runtime.boot() - before <= Duration{5'000});
}

TEST_CASE("stopping ends every link and waits for it", "[fleet][link]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    const BootTime before = world.runtime.boot();

    world.stop();

    CHECK(agent.served);
    CHECK_FALSE(agent.is_connected());
    CHECK(world.runtime.boot() - before < Duration{1'000});
    CHECK(
        world.store.rows().count({"node", agent.hello.node_id}) == 0
    );  // nothing was written under a wrong id
}

}  // namespace icos::fleet::test
