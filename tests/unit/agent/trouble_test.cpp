// SPDX-License-Identifier: Apache-2.0
// Trouble with the node's identity, clock, engine and disks, as the node takes it.
#include "agent/agent_status.hpp"
#include "agent/disk_watch.hpp"
#include "agent/node_clock.hpp"
#include "agent/program/identity.hpp"
#include "agent_world.hpp"

#include <catch2/catch.hpp>

#include <malloc.h>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

const char* const kRefusal =
    R"({"type":"refused","code":"node.duplicate","detail":"node edge-1 is connected already, from 192.0.2.1:7",)"
    R"("hint":"icos-agent reset-identity"})";

AgentStatus status(AgentWorld& world) {
    const auto decoded = decode_status(world.disk.content("/state/status.json"));
    if (!decoded) throw std::runtime_error("no status");
    return *decoded;
}

}  // namespace

TEST_CASE("what is to be removed is reported until it is gone, by whichever agent", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    world.engine.available = false;
    world.want({});
    REQUIRE(world.state_of("p1") == "removing");

    world.restart_agent();
    world.pass(Duration(10'000));
    CHECK(world.state_of("p1") == "removing");

    world.engine.available = true;
    world.pass(std::chrono::minutes(1));
    CHECK(world.state_of("p1") == "absent");
    CHECK(world.engine.all().empty());
}

TEST_CASE("peers 7: a refused copy says on its own machine why and what to do", "[agent][status]") {
    AgentWorld world;
    world.controller.refusal = kRefusal;
    world.start_agent();

    CHECK_FALSE(status(world).is_connected);
    CHECK_THAT(status(world).problem, Catch::Contains("node edge-1 is connected already"));
    CHECK(status(world).hint == "icos-agent reset-identity");
    world.controller.refusal.clear();
    world.pass(std::chrono::minutes(1));
    CHECK(status(world).is_connected);
    CHECK(status(world).problem.empty());
}

TEST_CASE("a node that stays away writes its status once", "[agent][status]") {
    AgentWorld world;
    world.controller.reachable = false;
    world.start_agent();
    world.pass(std::chrono::minutes(5));
    CHECK_FALSE(status(world).problem.empty());
    const std::uint64_t before = world.disk.bytes_written;

    world.pass(std::chrono::hours(24));

    CHECK(world.disk.bytes_written == before);
}

TEST_CASE("a status that was half-written is unknown, not wrong", "[agent][status]") {
    AgentStatus status;
    status.is_connected = true;
    status.controller = "vm-1";
    status.clock_ms = -5;
    const std::string text = encode_status(status);
    CHECK(decode_status(text) == status);
    for (std::size_t length = 0; length < text.size(); ++length)
        CHECK_FALSE(decode_status(text.substr(0, length)).has_value());
}

TEST_CASE("a renewed certificate is taken over the link", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.controller.send(encode(CertificateRenewed{"PEM"}));
    world.pass(Duration(1'000));

    CHECK(world.controller.certificates == std::vector<std::string>{"PEM"});
    CHECK(world.node->connected());
}

TEST_CASE("a certificate is taken only for the node's own key", "[agent][identity]") {
    const std::string key = make_key().value();
    const std::string own = self_signed_certificate(key, "edge-1").value();
    CHECK(certificate_end(own, key).has_value());
    CHECK(certificate_end(own, make_key().value()).has_error());
    CHECK(certificate_end("", key).has_error());
}

TEST_CASE("peers 9: a clock at 1970 stops nothing, and one that is set is told", "[agent][clock]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    const auto before = world.running();
    const WallTime right = world.runtime.wall();

    world.runtime.set_wall(WallTime{});
    world.pass(std::chrono::minutes(2));

    CHECK(world.node->connected());
    CHECK(world.running() == before);
    REQUIRE(world.controller.clocks.size() == 1);
    CHECK(world.controller.clocks[0] < to_ms(WallTime{}) + 60'000);
    world.runtime.set_wall(right + std::chrono::hours(24 * 365 * 74));
    world.pass(std::chrono::minutes(2));
    CHECK(world.controller.clocks.size() == 2);
    CHECK(world.running() == before);
}

TEST_CASE("the controller's time is known across steps of the node's clock", "[agent][clock]") {
    NodeClock clock;
    const WallTime wall = parse_rfc3339("2026-11-24T12:00:00Z").value();
    const BootTime boot{};
    CHECK(clock.time(wall) == wall);
    CHECK_FALSE(clock.time(WallTime{}).has_value());
    CHECK_FALSE(clock.look(wall, boot));
    clock.compare(wall, to_ms(wall) - 60'000);
    CHECK(clock.time(wall) == wall - std::chrono::minutes(1));
    CHECK_FALSE(clock.look(wall + std::chrono::hours(1), boot + std::chrono::hours(1)));
    CHECK(clock.look(WallTime{}, boot + std::chrono::hours(2)));
    CHECK(clock.time(WallTime{}) == wall + std::chrono::hours(2) - std::chrono::minutes(1));
}

TEST_CASE(
    "a second agent touches nothing of an engine that another has, and takes over when it is gone",
    "[agent][engine]"
) {
    AgentWorld world;
    world.claim.holder = "node edge-9";
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})}, std::chrono::minutes(2));

    CHECK(world.engine.journal.empty());
    CHECK(world.node->connected());
    CHECK_THAT(world.controller.hellos.back().facts.engine_problem, Catch::Contains("node edge-9"));
    CHECK(world.controller.hellos.back().facts.engine.empty());
    CHECK_THAT(status(world).engine_problem, Catch::Contains("node edge-9"));

    world.claim.holder.clear();
    world.pass(std::chrono::minutes(1));
    CHECK(world.state_of("p1") == "running");
    CHECK(world.controller.facts.back().engine == "docker");
    CHECK(status(world).engine_problem.empty());
}

TEST_CASE("peers 21: the agent's full disk takes one more set from its reserve", "[agent][disk]") {
    AgentWorld world;
    world.disk.capacity = 64U << 20U;
    world.disk.free_space["/engine"] = std::uint64_t{1} << 30U;  // a disk of its own
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    CHECK(world.disk.content("/state/reserve").size() == kReserveBytes);

    world.disk.capacity = world.disk.used();
    world.want({make_placement("p1", "d1", {{"web"}}), make_placement("p2", "d2", {{"db"}})});

    CHECK(world.controller.accepted.back().problem.empty());
    CHECK(world.state_of("p2") == "running");
    CHECK_FALSE(world.disk.exists("/state/reserve"));
    world.pass(std::chrono::minutes(2));
    CHECK_THAT(world.controller.facts.back().disk_problem, Catch::Contains("/state"));
    // Once there is space, the reserve is back and the warning gone.
    world.disk.capacity = 64U << 20U;
    world.pass(std::chrono::minutes(2));
    CHECK(world.disk.content("/state/reserve").size() == kReserveBytes);
    CHECK(world.controller.facts.back().disk_problem.empty());
}

TEST_CASE(
    "peers 21: on a full engine disk old images go, nothing is pulled, and it recovers by itself",
    "[agent][disk]"
) {
    AgentWorld world;
    for (const char* image : {"demo/a:1", "demo/b:1", "demo/c:1", "demo/d:1"})
        world.engine.add_to_registry(image);
    const auto image = [](const char* name) { return std::string(R"("image":")") + name + "\""; };
    world.start_agent();
    // Three generations, each pulled: the first is what neither the current nor the previous one needs.
    world.want({make_placement("p1", "aaaa0001", {{"web", image("demo/a:1")}})}, Duration(10'000));
    world.want({make_placement("p1", "bbbb0002", {{"web", image("demo/b:1")}})}, Duration(30'000));
    world.want({make_placement("p1", "cccc0003", {{"web", image("demo/c:1")}})}, Duration(30'000));
    REQUIRE(world.seen("p1").digest == "cccc0003");
    REQUIRE(world.engine.images.contains("demo/a:1"));
    const auto before = world.running();

    world.disk.free_space["/engine"] = 10U << 20U;
    world.pass(std::chrono::minutes(2));

    CHECK_FALSE(world.engine.images.contains("demo/a:1"));
    CHECK(world.engine.images.contains("demo/b:1"));  // peers 15: of the previous generation
    CHECK(world.engine.images.contains("demo/c:1"));
    CHECK(world.engine.images.contains("demo/web:1"));  // not pulled by this agent
    CHECK_THAT(world.controller.facts.back().disk_problem, Catch::Contains("/engine"));
    CHECK_THAT(world.node->metrics(), Catch::Contains("icos_agent_images_pruned_total 1\n"));

    world.want(
        {make_placement("p1", "cccc0003", {{"web", image("demo/c:1")}}),
         make_placement("p2", "dddd0004", {{"new", image("demo/d:1")}})},
        Duration(30'000)
    );
    CHECK(world.engine.count("pull") == 3);
    CHECK(world.state_of("p2") == "failed");
    CHECK(world.seen("p2").reason_code == "node.no_space");
    CHECK_THAT(world.seen("p2").reason, Catch::Contains("free space there"));
    CHECK(world.running() == before);

    world.disk.free_space.erase("/engine");
    world.pass(std::chrono::minutes(12));
    CHECK(world.state_of("p2") == "running");
    CHECK(world.controller.facts.back().disk_problem.empty());
}

TEST_CASE("peers 24: thousands of reconnects leave nothing behind in the agent", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    const auto before_running = world.running();
    const auto reconnect = [&world](int times) {
        for (int i = 0; i < times; ++i) {
            world.controller.drop_link();
            world.pass(std::chrono::seconds(40));
            // What the test itself remembers.
            world.controller.hellos.clear();
            world.controller.dialled.clear();
            world.controller.facts.clear();
            world.controller.accepted.clear();
            world.controller.reports.clear();
        }
        return ::mallinfo2().uordblks;
    };

    const std::size_t before = reconnect(200);
    const std::size_t after = reconnect(2'000);

    CHECK(after < before + 64U * 1024U);
    CHECK(world.node->connected());
    CHECK(world.running() == before_running);
}
