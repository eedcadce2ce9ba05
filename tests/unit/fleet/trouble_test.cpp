// SPDX-License-Identifier: Apache-2.0
// Trouble with identities, certificates and clocks, as the operator sees it.
#include "fleet_world.hpp"
#include "icos/store/store.hpp"

#include <boost/json/array.hpp>
#include <catch2/catch.hpp>

#include <malloc.h>

namespace icos::fleet::test {
namespace {

using http::Method;
namespace json = boost::json;

constexpr Duration kDay{std::chrono::hours(24)};

/// The node's conditions, "code: message" by code.
std::map<std::string, std::string> conditions(FleetWorld& world, const std::string& node) {
    std::map<std::string, std::string> out;
    const auto answer = world.call(Method::get, "/api/v1/nodes/" + node);
    for (const json::value& item : answer.body.at("conditions").as_array()) {
        const auto text = [&item](const char* key) { return std::string(item.at(key).as_string().c_str()); };
        out[text("code")] = text("message") + " -> " + text("hint");
    }
    return out;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string replace_token(FleetWorld& world, const std::string& node) {
    return world.make_token(R"({"replaces": ")" + node + R"("})");
}

agent::Facts with_machine(const std::string& hostname, const std::string& machine) {
    agent::Facts facts = some_facts(hostname);
    facts.machine_id = machine;
    return facts;
}

}  // namespace

TEST_CASE("peers 7: of two machines with one identity both are shown, with what to do", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent first(world, "edge-1", "192.0.2.1:1000");
    first.say_hello();
    CHECK(conditions(world, "edge-1").count("cloned") == 0);
    FakeAgent second(world, "edge-1", "192.0.2.2:2000");
    second.hello.boot_id = "another boot";
    second.hello.facts.hostname = "copy-of-edge-1";

    second.say_hello();
    world.runtime.advance(Duration{100});

    CHECK(second.refusal() == "node.duplicate");
    CHECK(first.is_connected());
    const std::string shown = conditions(world, "edge-1").at("cloned");
    CHECK(has(shown, "copy-of-edge-1 at 192.0.2.2:2000"));
    CHECK(has(shown, "edge-1 at 192.0.2.1:1000"));
    CHECK(has(shown, "icos-agent reset-identity"));
    CHECK(world.metric("icos_fleet_node_conditions{condition=\"cloned\"}") == 1);
    // It is gone some time after the copy is.
    world.runtime.advance(std::chrono::minutes(11));
    CHECK(conditions(world, "edge-1").count("cloned") == 0);
}

TEST_CASE("a copy that tries again and again is told once an hour", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent first(world, "edge-1", "192.0.2.1:1000");
    first.say_hello();

    for (int i = 0; i < 20; ++i) {
        FakeAgent second(world, "edge-1", "192.0.2.2:2000");
        second.hello.boot_id = "another boot";
        second.say_hello();
        world.runtime.advance(std::chrono::minutes(4));
    }

    CHECK(world.event_messages("node.duplicate_refused").size() == 2);
    CHECK(conditions(world, "edge-1").count("cloned") == 1);
}

TEST_CASE("an agent whose key was revoked is on record, once an hour", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    REQUIRE(world.call(Method::del, "/api/v1/nodes/edge-1").status == 204);

    for (int i = 0; i < 50; ++i) {
        FakeAgent agent(world, "edge-1", "192.0.2.9:4000");
        agent.say_hello();
        CHECK(agent.refusal() == "node.revoked");
        world.runtime.advance(std::chrono::seconds(30));
    }

    const auto events = world.event_messages("node.link_refused");
    REQUIRE(events.size() == 1);
    CHECK(has(events[0], "192.0.2.9:4000"));
    CHECK(has(events[0], "node edge-1 was forgotten"));
    CHECK(has(events[0], "icos node token"));
    for (int i = 0; i < 100; ++i) {
        FakeAgent stranger(world, "stranger-" + std::to_string(i));
        stranger.say_hello();
    }
    CHECK(world.event_messages("node.link_refused").size() == 20);
}

TEST_CASE("two nodes with one machine id are both warned of", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    for (const char* name : {"edge-1", "edge-2", "edge-3"}) world.join_node(name);
    FakeAgent first(world, "edge-1");
    first.hello.facts = with_machine("edge-1", "m-1");
    first.say_hello();
    FakeAgent second(world, "edge-2");
    second.hello.facts = with_machine("edge-2", "m-1");
    second.say_hello();
    FakeAgent third(world, "edge-3");
    third.hello.facts = with_machine("edge-3", "m-3");
    third.say_hello();

    CHECK(has(conditions(world, "edge-1").at("machine_id_shared"), "edge-2"));
    CHECK(has(conditions(world, "edge-2").at("machine_id_shared"), "edge-1"));
    CHECK(conditions(world, "edge-3").empty());
    CHECK(world.state_of("edge-1") == NodeState::ready);
}

TEST_CASE("two nodes on one container engine are both warned of", "[fleet][identity]") {
    FleetWorld world;
    world.start();
    for (const char* name : {"edge-1", "edge-2"}) world.join_node(name);
    FakeAgent first(world, "edge-1");
    first.hello.facts.engine_id = "ENGINE";
    first.say_hello();
    CHECK(conditions(world, "edge-1").empty());
    FakeAgent second(world, "edge-2");
    second.hello.facts.engine_id = "ENGINE";
    second.say_hello();

    CHECK(has(conditions(world, "edge-1").at("engine_shared"), "edge-2"));
    CHECK(has(conditions(world, "edge-2").at("engine_shared"), "icos node rm"));
}

TEST_CASE("peers 6: a node that lost its disk joins again as itself", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"labels": {"site": "lab"}})");
    {
        FakeAgent old(world, "edge-1");
        old.say_hello();
    }
    world.executor().offer(TargetId{id.value}, plan({placement("p1", "1")}));
    world.runtime.advance(std::chrono::minutes(1));
    REQUIRE(world.state_of("edge-1") == NodeState::lost);

    const auto joined = world.join(replace_token(world, "edge-1"), "", "new key");

    REQUIRE(joined.status == 200);
    CHECK(joined.text("node_id") == id.value);
    CHECK(joined.text("name") == "edge-1");
    CHECK(joined.body.at("labels").at("site") == "lab");
    CHECK(has(joined.text("certificate"), FleetWorld::peer("new key").key_id));
    CHECK(world.event_messages("node.rejoined").size() == 1);
    // Its old key opens nothing any more, and its plan waits for it.
    FakeAgent old(world, "edge-1");
    old.say_hello();
    CHECK(old.refusal() == "node.revoked");
    FakeAgent again(world, "new key");
    again.hello.node_id = id.value;
    again.say_hello();
    CHECK(world.state_of("edge-1") == NodeState::ready);
    REQUIRE(again.desired().size() == 1);
    CHECK(again.desired()[0].upsert.size() == 1);

    world.restart();
    FakeAgent later(world, "new key");
    later.say_hello();
    CHECK(later.welcome().has_value());
}

TEST_CASE("a node that still answers cannot be taken over", "[fleet][join]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent present(world, "edge-1");
    present.say_hello();
    const std::string token = replace_token(world, "edge-1");

    const auto refused = world.join(token, "", "new key");

    CHECK(refused.code() == "node.in_use");
    CHECK(has(refused.text("hint"), "systemctl stop icos-agent"));
    CHECK(present.is_connected());
    present.hang_up();
    world.runtime.advance(std::chrono::minutes(1));
    CHECK(world.join(token, "other-name", "new key").code() == "node.name_taken");
    CHECK(world.join(token, "edge-1", "new key").status == 200);
    // The answer may get lost, and the token is spent for anybody else.
    CHECK(world.join(token, "edge-1", "new key").status == 200);
    CHECK(world.join(token, "edge-1", "third key").code() == "node.token_spent");
}

TEST_CASE("a replacing join that cannot be written leaves the old key in place", "[fleet][join]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    const std::string token = replace_token(world, "edge-1");
    world.store.failure = Error{store_errc::full, "no space"};

    CHECK(world.join(token, "", "new key").status == 507);
    world.runtime.advance(Duration{1'000});

    FakeAgent old(world, "edge-1");
    old.say_hello();
    CHECK(old.welcome().has_value());
    CHECK(world.join(token, "", "new key").code() == "node.in_use");
}

TEST_CASE("a token that replaces takes nothing that is the node's own", "[fleet][token]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    CHECK(world.call(Method::post, "/api/v1/tokens", R"({"replaces": "edge-9"})").code() == "node.not_found");
    CHECK(
        world.call(Method::post, "/api/v1/tokens", R"({"replaces": "edge-1", "cluster": "lab"})").code() ==
        "node.invalid"
    );
    CHECK(
        world.call(Method::post, "/api/v1/tokens", R"({"replaces": "edge-1", "uses": 2})").code() ==
        "node.invalid"
    );
}

TEST_CASE("peers 9: a clock at 1970 or in 2100 costs no link, and is shown", "[fleet][clock]") {
    const char* const times[] = {"1970-01-01T00:10:00Z", "2100-01-01T00:00:00Z"};
    for (const char* time : times) {
        FleetWorld world;
        world.start();
        world.join_node("edge-1");
        FakeAgent agent(world, "edge-1");
        agent.hello.wall_ms = to_ms(parse_rfc3339(time).value());

        agent.say_hello();

        CHECK(world.state_of("edge-1") == NodeState::ready);
        const std::string shown = conditions(world, "edge-1").at("clock_off");
        CHECK(has(shown, std::string(time).substr(0, 16)));
        CHECK(has(shown, "years"));
        CHECK(has(shown, "timedatectl"));
        CHECK(world.event_messages("node.clock_off").size() == 1);
        // Set while connected.
        agent.say(agent::encode(agent::ClockChanged{to_ms(world.runtime.wall())}));
        CHECK(conditions(world, "edge-1").empty());
        CHECK(world.event_messages("node.clock_ok").size() == 1);
    }
}

TEST_CASE("when most nodes disagree, the controller's own clock is named", "[fleet][clock]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    world.join_node("edge-2");
    const std::int64_t right = to_ms(world.runtime.wall());
    FakeAgent first(world, "edge-1");
    first.hello.wall_ms = right;
    FakeAgent second(world, "edge-2");
    second.hello.wall_ms = right;
    first.say_hello();
    second.say_hello();
    world.runtime.advance(Duration{2'000});
    REQUIRE(conditions(world, "edge-1").empty());

    world.runtime.set_wall(world.runtime.wall() + std::chrono::hours(24 * 365 * 74));
    world.runtime.advance(Duration{2'000});

    CHECK(has(conditions(world, "edge-1").at("clock_off"), "look at its own clock first"));
    CHECK(world.state_of("edge-1") == NodeState::ready);
    world.runtime.set_wall(world.runtime.wall() - std::chrono::hours(24 * 365 * 74));
    world.runtime.advance(Duration{2'000});
    CHECK(conditions(world, "edge-1").count("clock_off") == 0);
}

TEST_CASE("peers 10: a certificate is renewed while it is in use", "[fleet][certificate]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    world.runtime.advance(std::chrono::minutes(2));
    CHECK(agent.of_type("certificate").empty());
    const std::string before = world.call(Method::get, "/api/v1/nodes/edge-1").text("certificate_until");

    // Time passes without a frame's worth of work: the clock alone counts here.
    world.runtime.set_wall(world.runtime.wall() + 61 * kDay);
    world.runtime.advance(std::chrono::minutes(2));

    const auto renewed = agent.of_type("certificate");
    REQUIRE(renewed.size() == 1);
    const auto message = agent::decode<agent::CertificateRenewed>(renewed[0]);
    CHECK(has(message->certificate, "for " + id.value));
    CHECK(has(message->certificate, FleetWorld::peer("edge-1").key_id));
    CHECK(world.call(Method::get, "/api/v1/nodes/edge-1").text("certificate_until") > before);
    CHECK(world.event_messages("node.certificate_renewed").size() == 1);
    CHECK(world.metric("icos_fleet_certificates_renewed_total") == 1);
    CHECK(agent.is_connected());
}

TEST_CASE(
    "peers 10: a certificate that nobody can renew is warned of 30 days before it ends",
    "[fleet][certificate]"
) {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    {
        FakeAgent agent(world, "edge-1");
        agent.say_hello();
    }
    world.runtime.advance(std::chrono::minutes(2));
    CHECK(conditions(world, "edge-1").empty());

    world.runtime.set_wall(world.runtime.wall() + 61 * kDay);
    world.runtime.advance(std::chrono::minutes(2));

    CHECK(has(conditions(world, "edge-1").at("certificate_expiring"), "28 days"));
    CHECK(world.event_messages("node.certificate_expiring").size() == 1);
    CHECK(world.metric("icos_fleet_certificate_seconds_left") < 30 * 86'400);
    world.runtime.set_wall(world.runtime.wall() + 40 * kDay);
    world.runtime.advance(std::chrono::minutes(2));
    CHECK(has(conditions(world, "edge-1").at("certificate_expired"), "what runs there runs on"));
    // Back within the grace: a link at once, and a new certificate on it.
    FakeAgent back(world, "edge-1");
    back.say_hello();
    CHECK(back.welcome().has_value());
    CHECK(back.of_type("certificate").size() == 1);
    CHECK(conditions(world, "edge-1").empty());
}

TEST_CASE("peers 10: beyond its grace a certificate can only be renewed", "[fleet][certificate]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    const WallTime until = world.runtime.wall() + 90 * kDay;
    world.runtime.set_wall(until + 31 * kDay);

    FakeAgent late(world, "edge-1", until);
    late.say_hello();

    CHECK(late.of_type("certificate").size() == 1);
    CHECK(late.refusal() == "node.certificate_expired");
    CHECK_FALSE(late.welcome().has_value());
    // With what it got there it is in.
    FakeAgent renewed(world, "edge-1", world.runtime.wall() + 90 * kDay);
    renewed.say_hello();
    CHECK(renewed.welcome().has_value());
    CHECK(renewed.of_type("certificate").empty());
}

TEST_CASE("a renewed certificate that got lost is sent again", "[fleet][certificate]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    const WallTime until = world.runtime.wall() + 90 * kDay;
    world.runtime.set_wall(world.runtime.wall() + 61 * kDay);
    {
        FakeAgent first(world, "edge-1", until);
        first.say_hello();
        REQUIRE(first.of_type("certificate").size() == 1);
    }
    FakeAgent again(world, "edge-1", until);
    again.say_hello();

    CHECK(again.of_type("certificate").size() == 1);
    CHECK(world.event_messages("node.certificate_renewed").size() == 1);
}

TEST_CASE("a token is as old as it is, whatever the controller's clock says", "[fleet][token]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token(R"({"uses": 3})");
    world.runtime.set_wall(world.runtime.wall() + std::chrono::hours(24 * 365 * 74));
    CHECK(world.join(token, "edge-1", "key-1").status == 200);
    world.runtime.set_wall(WallTime{});
    world.runtime.advance(std::chrono::minutes(61));
    CHECK(world.join(token, "edge-2", "key-2").code() == "node.token_expired");
}

TEST_CASE("a node that cannot take its plan says so where it is shown", "[fleet][disk]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    world.executor().offer(TargetId{id.value}, plan({placement("a", "1")}));
    world.runtime.run_until_idle();

    agent.say(agent::encode(agent::Accepted{"old", "no space left [store.full]"}));
    CHECK(has(conditions(world, "edge-1").at("plan_refused"), "no space left"));
    agent::Facts facts = some_facts("edge-1");
    facts.disk_problem = "less than 16 MiB are free on the disk of /var/lib/icos-agent";
    agent.say(agent::encode(agent::FactsChanged{facts}));
    CHECK(has(conditions(world, "edge-1").at("disk_full"), "/var/lib/icos-agent"));

    agent.say(agent::encode(agent::FactsChanged{some_facts("edge-1")}));
    agent.say(agent::encode(agent::Accepted{agent.desired().back().digest, ""}));
    CHECK(conditions(world, "edge-1").empty());
}

TEST_CASE("peers 24: thousands of reconnects leave nothing behind in the controller", "[fleet][link]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    world.executor().offer(TargetId{id.value}, plan({placement("a", "1")}));
    const auto reconnect = [&world](int times) {
        for (int i = 0; i < times; ++i) {
            FakeAgent agent(world, "edge-1");
            agent.say_hello();
            agent.hang_up();
            world.runtime.run_until_idle();
        }
        return ::mallinfo2().uordblks;
    };

    const std::size_t before = reconnect(200);
    const std::size_t after = reconnect(2'000);

    CHECK(after < before + 64U * 1024U);
    CHECK(world.metric("icos_fleet_links") == 0);
}

}  // namespace icos::fleet::test
