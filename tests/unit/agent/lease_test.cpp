// SPDX-License-Identifier: Apache-2.0
#include "agent/lease.hpp"

#include "agent_world.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

constexpr Duration kSecond{1'000};

BootTime at(int seconds) {
    return BootTime(seconds * kSecond);
}

DesiredPlacement exclusive(
    const std::string& id = "p1", const std::string& service = R"("image":"demo/web:1","restart":"always")"
) {
    DesiredPlacement placement = make_placement(id, "d-" + id, {{"web", service}});
    placement.exclusive = true;
    placement.update_order = "stop-first";
    return placement;
}

std::string restart_policy(const AgentWorld& world) {
    for (const auto& [id, container] : world.engine.all()) {
        return boost::json::serialize(container.body.at("HostConfig").as_object().at("RestartPolicy"));
    }
    return "no container";
}

}  // namespace

TEST_CASE("a lease counts from when what was answered was sent", "[agent][lease]") {
    Lease lease(at(10));
    lease.answered(at(4), at(3), 30 * kSecond);
    CHECK(lease.holds(at(9)));
    CHECK_FALSE(lease.may_start(at(9), kSecond));
    lease.confirm(at(5));
    CHECK(lease.may_start(at(31), kSecond));
    CHECK_FALSE(lease.may_start(at(32), kSecond));
    CHECK(lease.holds(at(32)));
    CHECK_FALSE(lease.holds(at(33)));
}

TEST_CASE("a lease that ended comes back with the controller's word only", "[agent][lease]") {
    Lease lease(at(10));
    lease.answered(at(1), at(1), 30 * kSecond);
    lease.confirm(at(1));
    lease.answered(at(40), at(39), 30 * kSecond);
    CHECK_FALSE(lease.holds(at(40)));
    lease.confirm(at(41));
    CHECK(lease.may_start(at(42), kSecond));
    CHECK(lease.end() == at(69));
}

TEST_CASE("the word of a controller that no longer answers is worth nothing", "[agent][lease]") {
    Lease lease(at(10));
    lease.answered(at(1), at(1), 30 * kSecond);
    lease.confirm(at(50));
    CHECK_FALSE(lease.holds(at(50)));
}

TEST_CASE("an answer that comes late does not shorten a lease", "[agent][lease]") {
    Lease lease(at(0));
    lease.answered(at(10), at(10), 30 * kSecond);
    lease.confirm(at(10));
    lease.answered(at(12), at(5), 30 * kSecond);
    CHECK(lease.end() == at(40));
}

TEST_CASE(
    "peers 4: what only one node may run stops when the lease ends, other things go on", "[agent][lease]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive(), make_placement("p2", "d2", {{"db"}})});
    REQUIRE(world.running().size() == 2);
    world.pass(std::chrono::minutes(5));
    REQUIRE(world.running().size() == 2);

    world.set_connected(false);
    world.pass(24 * kSecond);
    CHECK(world.running().size() == 2);
    world.pass(12 * kSecond);
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p2-0-db-1"});
    world.pass(std::chrono::hours(1));
    CHECK(world.running().size() == 1);

    world.set_connected(true);
    world.pass(40 * kSecond);
    CHECK(world.running().size() == 2);
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("a short loss of the link stops nothing", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive()});
    const auto before = world.running();
    world.set_connected(false);
    world.pass(15 * kSecond);
    world.set_connected(true);
    world.pass(std::chrono::minutes(3));
    CHECK(world.running() == before);
}

TEST_CASE("after the lease ended it is not started before the set is known to be current", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive()});
    world.set_connected(false);
    world.pass(std::chrono::minutes(2));
    world.controller.confirms = false;
    world.set_connected(true);
    world.pass(std::chrono::minutes(2));
    CHECK(world.running().empty());
    CHECK(world.state_of("p1") == "pending");
    CHECK(world.seen("p1").reason_code == "lease.ended");

    SECTION("it is elsewhere by now") {
        world.want({});
        CHECK(world.engine.all().empty());
    }
    SECTION("it is still this node's") {
        world.controller.send(encode(Current{desired_digest(world.controller.desired)}));
        world.pass(3 * kSecond);
        CHECK(world.state_of("p1") == "running");
    }
}

TEST_CASE("a reboot starts what only one node may run after contact, the rest before", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive(), make_placement("p2", "d2", {{"db"}})});
    world.set_connected(false);
    world.reboot();
    world.start_agent();
    world.pass(std::chrono::minutes(5));
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p2-0-db-1"});
    world.set_connected(true);
    world.pass(40 * kSecond);
    CHECK(world.running().size() == 2);
}

TEST_CASE("an agent that was killed and cannot reach a controller stops it soon", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive()});
    world.set_connected(false);
    world.restart_agent();
    CHECK(world.running().size() == 1);
    world.pass(10 * kSecond);
    CHECK(world.running().empty());
}

TEST_CASE("what the engine does not stop when the lease ends is killed without it", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive(), make_placement("p2", "d2", {{"db"}})});
    REQUIRE(world.running().size() == 2);
    world.engine.available = false;
    world.set_connected(false);
    SECTION("the agent has known it all along") {
        world.pass(44 * kSecond);
    }
    SECTION("the agent was killed meanwhile") {
        world.pass(20 * kSecond);
        world.restart_agent();
        world.pass(12 * kSecond);
    }
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p2-0-db-1"});

    world.engine.available = true;
    world.pass(std::chrono::minutes(2));
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p2-0-db-1"});
    world.set_connected(true);
    world.pass(40 * kSecond);
    CHECK(world.running().size() == 2);
}

TEST_CASE("what had ended by itself is not started again because the rest was killed", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    DesiredPlacement placement = make_placement(
        "p1",
        "d1",
        {{"once", R"("image":"demo/web:1","restart":"no")"},
         {"web", R"("image":"demo/web:1","restart":"always")"}}
    );
    placement.exclusive = true;
    placement.update_order = "stop-first";
    world.want({placement});
    REQUIRE(world.running().size() == 2);
    for (const auto& [id, container] : world.engine.all()) {
        if (container.state.name.find("once") != std::string::npos) world.engine.die(id, 0);
    }
    world.pass(Duration(1'000));
    world.engine.available = false;
    world.set_connected(false);
    world.pass(44 * kSecond);
    REQUIRE(world.running().empty());

    world.engine.available = true;
    world.set_connected(true);
    world.pass(std::chrono::minutes(2));
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p1-0-web-1"});
}

TEST_CASE("what is to be removed and cannot be ends with the lease all the same", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive()});
    world.engine.available = false;
    world.want({});
    REQUIRE(world.running().size() == 1);
    SECTION("by the agent that was told") {}
    SECTION("by one that is started again") {
        world.restart_agent();
    }
    CHECK(world.state_of("p1") == "removing");

    world.set_connected(false);
    world.pass(44 * kSecond);
    CHECK(world.running().empty());
}

TEST_CASE(
    "peers 20: an agent that is restarted and reaches its controller restarts nothing", "[agent][lease]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive()});
    const auto before = world.running();
    world.restart_agent();
    world.pass(std::chrono::minutes(1));
    CHECK(world.running() == before);
}

TEST_CASE("an agent that stops leaves it running if the controller knows", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive()});
    const auto before = world.running();
    SECTION("the controller wrote it down") {
        world.stop_agent();
        CHECK(world.controller.stopping == 1);
        CHECK(world.running() == before);
    }
    SECTION("the controller could not write it down") {
        world.controller.notes_stopping = false;
        world.stop_agent();
        CHECK(world.running().empty());
    }
    SECTION("there is no link") {
        world.set_connected(false);
        world.stop_agent();
        CHECK(world.running().empty());
        world.set_connected(true);
        world.start_agent();
        world.pass(5 * kSecond);
        CHECK(world.running().size() == 1);
    }
}

TEST_CASE("what only one node may run is restarted by the agent, as an engine would", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    world.want({exclusive()});
    CHECK(restart_policy(world) == R"({"Name":"no"})");
    const std::string id = world.running().begin()->first;

    world.engine.die(id, 1);
    world.pass(2 * kSecond);
    CHECK(world.running().size() == 1);
    CHECK(world.state_of("p1") == "restarting");
    CHECK(world.seen("p1").services[0].restarts == 1);
    world.pass(15 * kSecond);
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("a restart policy of the manifest holds without the engine's help", "[agent][lease]") {
    AgentWorld world;
    world.start_agent();
    SECTION("no restart") {
        world.want({exclusive("p1", R"("image":"demo/web:1")")});
        world.engine.die(world.running().begin()->first, 3);
        world.pass(std::chrono::minutes(5));
        CHECK(world.running().empty());
        CHECK(world.state_of("p1") == "failed");
    }
    SECTION("twice on failure") {
        world.want({exclusive("p1", R"("image":"demo/web:1","restart":"on-failure","restart_max_retries":2)")}
        );
        for (int i = 0; i < 3; ++i) {
            REQUIRE(world.running().size() == 1);
            world.engine.die(world.running().begin()->first, 3);
            world.pass(std::chrono::minutes(2));
        }
        CHECK(world.running().empty());
        CHECK(world.state_of("p1") == "failed");
    }
}
