// SPDX-License-Identifier: Apache-2.0
// Updates begin when the application allows it.
#include "agent_world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

const std::string kNew = R"("image":"demo/web:2")";

WallTime at(const char* text) {
    return parse_rfc3339(text).value();
}

DesiredPlacement updated(const std::string& window) {
    DesiredPlacement placement = make_placement("p1", "bbbb0002", {{"web", kNew}});
    placement.generation = 2;
    placement.window = window;
    return placement;
}

}  // namespace

TEST_CASE("peers 18: an update waits for its window and says so", "[agent][update][window]") {
    AgentWorld world;
    world.runtime.set_wall(at("2026-11-24T12:00:00Z"));
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    const auto before = world.running();

    world.want({updated("02:00-04:00")}, std::chrono::hours(13));

    CHECK(world.running() == before);
    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").digest == "aaaa0001");
    CHECK(world.seen("p1").reason == "the update waits for its window (02:00-04:00 UTC)");
    CHECK(world.seen("p1").reason_code == "update.waits");
    world.pass(std::chrono::minutes(62));
    CHECK(world.seen("p1").digest == "bbbb0002");
    CHECK(world.seen("p1").reason.empty());
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("a window holds no first start, no stop and no removal", "[agent][update][window]") {
    AgentWorld world;
    world.runtime.set_wall(at("2026-11-24T12:00:00Z"));
    world.start_agent();
    world.want({updated("02:00-04:00")});
    CHECK(world.seen("p1").digest == "bbbb0002");

    world.want({}, Duration(15'000));
    CHECK(world.state_of("p1") == "absent");
}

TEST_CASE("while an update waits, the old generation comes back after a reboot", "[agent][update][window]") {
    AgentWorld world;
    world.runtime.set_wall(at("2026-11-24T12:00:00Z"));
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    world.want({updated("02:00-04:00")});

    world.reboot();
    world.start_agent();
    world.pass(Duration(5'000));

    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").digest == "aaaa0001");
}

TEST_CASE(
    "the window is in the controller's time where the node's clock is wrong", "[agent][update][window]"
) {
    AgentWorld world;
    world.runtime.set_wall(at("1970-01-01T12:00:00Z"));
    world.controller.wall_ms = to_ms(at("2026-11-24T02:30:00Z"));
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});

    world.want({updated("02:00-04:00")}, Duration(10'000));

    CHECK(world.seen("p1").digest == "bbbb0002");
}

TEST_CASE("a node that knows no time updates nothing that has a window", "[agent][update][window]") {
    AgentWorld world;
    world.runtime.set_wall(at("1970-01-01T02:30:00Z"));
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});

    world.want({updated("02:00-04:00")}, Duration(10'000));

    CHECK(world.seen("p1").digest == "aaaa0001");
    CHECK_THAT(world.seen("p1").reason, Catch::Contains("clock is not known to be right"));
}

TEST_CASE(
    "peers 18: an application that holds its lock is not updated until it lets go", "[agent][update][window]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    const std::string lock = "icos-hello-p1-0-web-1:/tmp/icos-update.lock";
    world.engine.paths.insert(lock);

    world.want({updated("")}, std::chrono::minutes(30));

    CHECK(world.seen("p1").digest == "aaaa0001");
    CHECK(world.state_of("p1") == "running");
    CHECK_THAT(world.seen("p1").reason, Catch::Contains("holds its lock"));
    world.engine.paths.erase(lock);
    world.pass(std::chrono::minutes(1));
    CHECK(world.seen("p1").digest == "bbbb0002");
}
