// SPDX-License-Identifier: Apache-2.0
#include "fleet_world.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

namespace icos::fleet::test {
namespace {

using http::Method;

Task<std::string> try_upgrade(http::Router* router, http::Caller caller) {
    http::Request request;
    request.path = "/agent/v1/link";
    request.caller = std::move(caller);
    const Result<const http::SocketRoute*> matched = co_await router->match_socket(request);
    co_return matched.has_error() ? stable_code(matched.error()) : std::string("upgraded");
}

std::string upgrade(FleetWorld& world, const std::string& key) {
    return icos::test::run(world.runtime, try_upgrade(&world.router(), FleetWorld::agent_caller(key)));
}

}  // namespace

TEST_CASE(
    "a key that never joined is refused before the upgrade and on other transports", "[fleet][identity]"
) {
    FleetWorld world;
    world.start();

    CHECK(upgrade(world, "stranger") == "node.unknown_key");
    FakeAgent agent(world, "stranger");

    CHECK(agent.refusal() == "node.unknown_key");
    CHECK_FALSE(agent.is_connected());
    CHECK(world.metric("icos_fleet_link_refused_total") == 1);
}

TEST_CASE("a key that joined may connect even with an expired certificate", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    world.runtime.set_wall(world.runtime.wall() + std::chrono::hours(24 * 400));

    CHECK(upgrade(world, "edge-1") == "upgraded");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    CHECK(world.state_of("edge-1") == NodeState::ready);
}

TEST_CASE("a forgotten node's key is revoked for good", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    REQUIRE(world.call(Method::del, "/api/v1/nodes/edge-1").status == 204);
    world.runtime.advance(Duration{10});

    CHECK_FALSE(agent.is_connected());
    CHECK(world.node("edge-1") == nullptr);
    CHECK(upgrade(world, "edge-1") == "node.revoked");
    CHECK(world.join(world.make_token(), "edge-1", "edge-1").code() == "node.revoked");
    CHECK(world.store.rows().count({"node", id.value}) == 0);
    CHECK(world.event_messages("node.removed").size() == 1);

    world.restart();
    CHECK(upgrade(world, "edge-1") == "node.revoked");
    // The name is free for a new key.
    CHECK(world.join(world.make_token(), "edge-1", "another key").status == 200);
}

TEST_CASE("a second agent with one identity is refused while the first answers", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent first(world, "edge-1", "192.0.2.1:1000");
    first.say_hello();
    FakeAgent second(world, "edge-1", "192.0.2.2:2000");
    second.hello.boot_id = "another boot";

    second.say_hello();
    world.runtime.advance(Duration{100});

    CHECK(second.refusal() == "node.duplicate");
    CHECK_FALSE(second.is_connected());
    CHECK(first.is_connected());
    const auto events = world.event_messages("node.duplicate_refused");
    REQUIRE(events.size() == 1);
    CHECK(events.at(0).find("192.0.2.2:2000") != std::string::npos);
    CHECK(events.at(0).find("192.0.2.1:1000") != std::string::npos);
}

TEST_CASE("a first link that is silent for 5 s is replaced", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent first(world, "edge-1");
    first.say_hello();
    first.go_silent();
    FakeAgent second(world, "edge-1");
    second.hello.process_nonce = "after a crash";

    second.say_hello();
    CHECK_FALSE(second.welcome().has_value());
    world.runtime.advance(Duration{4'500});
    CHECK_FALSE(second.welcome().has_value());
    world.runtime.advance(Duration{1'000});

    CHECK(second.welcome().has_value());
    CHECK(first.served);
    CHECK(world.metric("icos_fleet_links") == 1);
    CHECK(world.metric("icos_fleet_link_replaced_total") == 1);
    world.runtime.advance(std::chrono::minutes(2));
    CHECK(second.is_connected());
    CHECK(world.state_of("edge-1") == NodeState::ready);
}

TEST_CASE("the same process replaces its own old link at once", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    FakeAgent first(world, "edge-1");
    first.say_hello();
    FakeAgent second(world, "edge-1");

    second.say_hello();

    CHECK(second.welcome().has_value());
    CHECK(first.served);
    CHECK(world.event_messages("node.duplicate_refused").empty());
    // The old link's end does not take the new one along.
    world.executor().offer(TargetId{id.value}, plan({placement("a", "1")}));
    world.runtime.run_until_idle();
    CHECK(second.desired().size() == 1);
}

TEST_CASE("of two agents that claim a silent link, the later one has to wait", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent first(world, "edge-1");
    first.say_hello();
    first.go_silent();
    FakeAgent second(world, "edge-1");
    second.hello.boot_id = "second";
    second.say_hello();
    FakeAgent third(world, "edge-1");
    third.hello.boot_id = "third";
    third.say_hello();

    CHECK(third.refusal() == "node.duplicate");
    world.runtime.advance(Duration{6'000});
    CHECK(second.welcome().has_value());
    CHECK(world.metric("icos_fleet_links") == 1);
}

TEST_CASE("a node that is forgotten while two agents claim it lets none in", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent first(world, "edge-1");
    first.say_hello();
    first.go_silent();
    FakeAgent second(world, "edge-1");
    second.hello.boot_id = "second";
    second.say_hello();

    REQUIRE(world.call(Method::del, "/api/v1/nodes/edge-1").status == 204);
    world.runtime.advance(Duration{10'000});

    CHECK_FALSE(second.is_connected());
    CHECK_FALSE(second.welcome().has_value());
    CHECK(world.metric("icos_fleet_links") == 0);
}

TEST_CASE("an agent whose state mixes two identities is refused", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    FakeAgent mixed(world, "edge-1");
    mixed.hello.node_id = world.join_node("edge-2").value;
    mixed.say_hello();
    CHECK(mixed.refusal() == "node.unknown_key");
    CHECK(world.state_of("edge-1") == NodeState::joining);

    FakeAgent right(world, "edge-1");
    right.hello.node_id = id.value;
    right.say_hello();
    CHECK(world.state_of("edge-1") == NodeState::ready);
}

}  // namespace icos::fleet::test
