// SPDX-License-Identifier: Apache-2.0
#include "agent_world.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

const std::string kNew = R"("image":"demo/web:2")";
const std::string kPort = R"(,"ports":[{"target":80,"published":8080,"protocol":"tcp"}])";
const std::string kHealthy = R"(,"healthcheck":{"test":["CMD","true"],"interval_ns":1000000000})";

std::size_t position(const std::vector<std::string>& journal, const std::string& entry) {
    return static_cast<std::size_t>(std::find(journal.begin(), journal.end(), entry) - journal.begin());
}

}  // namespace

TEST_CASE("an update runs beside the old generation before that goes", "[agent][update]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    world.want({make_placement("p1", "bbbb0002", {{"web", kNew}})}, Duration(10'000));

    const auto& journal = world.engine.journal;
    CHECK(
        position(journal, "start icos-hello-p1-0-web-1-gbbbb0002") <
        position(journal, "stop icos-hello-p1-0-web-1")
    );
    CHECK(world.engine.names() == std::vector<std::string>{"icos-hello-p1-0-web-1"});
    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").digest == "bbbb0002");
    CHECK(world.seen("p1").wanted_digest.empty());
}

TEST_CASE(
    "an update with a fixed host port stages everything, then stops the old generation", "[agent][update]"
) {
    AgentWorld world;
    world.engine.add_to_registry("demo/next:1");
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web", R"("image":"demo/web:1")" + kPort}})});
    world.want(
        {make_placement("p1", "bbbb0002", {{"web", R"("image":"demo/next:1")" + kPort}})}, Duration(10'000)
    );

    const auto& journal = world.engine.journal;
    CHECK(
        position(journal, "pull demo/next:1") < position(journal, "create icos-hello-p1-0-web-1-gbbbb0002")
    );
    CHECK(
        position(journal, "create icos-hello-p1-0-web-1-gbbbb0002") <
        position(journal, "stop icos-hello-p1-0-web-1")
    );
    CHECK(
        position(journal, "stop icos-hello-p1-0-web-1") <
        position(journal, "start icos-hello-p1-0-web-1-gbbbb0002")
    );
    CHECK(world.seen("p1").digest == "bbbb0002");
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p1-0-web-1"});
}

TEST_CASE("a stop-first update stops the old generation before the new one starts", "[agent][update]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    DesiredPlacement next = make_placement("p1", "bbbb0002", {{"web", kNew}});
    next.update_order = "stop-first";

    world.want({next}, Duration(10'000));

    const auto& journal = world.engine.journal;
    CHECK(
        position(journal, "stop icos-hello-p1-0-web-1") <
        position(journal, "start icos-hello-p1-0-web-1-gbbbb0002")
    );
    CHECK(world.seen("p1").digest == "bbbb0002");
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("an update is not undone because the node's clock is set back meanwhile", "[agent][update]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    world.want({make_placement("p1", "bbbb0002", {{"web", kNew}})}, Duration(300));
    REQUIRE(world.engine.names("running").size() == 2);

    world.runtime.set_wall(from_ms(1'000));
    world.pass(Duration(10'000));

    CHECK(world.engine.names() == std::vector<std::string>{"icos-hello-p1-0-web-1"});
    CHECK(world.seen("p1").digest == "bbbb0002");
}

TEST_CASE("while an update's image cannot be had, the old generation goes on", "[agent][update]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    const auto before = world.running();

    world.want(
        {make_placement("p1", "bbbb0002", {{"web", R"("image":"demo/none:1")"}})}, std::chrono::minutes(20)
    );

    CHECK(world.running() == before);
    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").digest == "aaaa0001");
    CHECK(world.seen("p1").wanted_digest == "bbbb0002");
    CHECK(world.seen("p1").reason_code == "image.not_found");
}

TEST_CASE("an update that exits at once is undone, and the old generation never stopped", "[agent][update]") {
    AgentWorld world;
    world.engine.behaviours["demo/web:2"].exits_with = 1;
    world.engine.behaviours["demo/web:2"].exits_after = Duration(200);
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    const auto before = world.running();

    world.want({make_placement("p1", "bbbb0002", {{"web", kNew}})}, std::chrono::minutes(10));

    CHECK(world.running() == before);
    CHECK(world.engine.all().size() == 1);
    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").reason_code == "container.exits");
    CHECK_THAT(
        world.seen("p1").reason, Catch::Contains("the update failed: service 'web' exits with code 1")
    );
    CHECK(world.engine.count("create") == 2);
}

TEST_CASE(
    "an update with a fixed port that does not become healthy brings the old generation back",
    "[agent][update]"
) {
    AgentWorld world;
    world.engine.behaviours["demo/web:2"].never_healthy = true;
    world.engine.behaviours["demo/web:2"].healthy_after = Duration(2'000);
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web", R"("image":"demo/web:1")" + kPort}})});
    world.want(
        {make_placement("p1", "bbbb0002", {{"web", kNew + kPort + kHealthy}})}, std::chrono::minutes(1)
    );

    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p1-0-web-1"});
    CHECK(world.engine.all().size() == 1);
    CHECK(world.seen("p1").digest == "aaaa0001");
    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").reason_code == "container.unhealthy");
}

TEST_CASE("after a failed update the next wanted generation is tried", "[agent][update]") {
    AgentWorld world;
    world.engine.behaviours["demo/web:2"].exits_with = 1;
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    world.want({make_placement("p1", "bbbb0002", {{"web", kNew}})}, Duration(10'000));
    REQUIRE(world.seen("p1").digest == "aaaa0001");

    world.engine.add_image("demo/web:3");
    world.want({make_placement("p1", "cccc0003", {{"web", R"("image":"demo/web:3")"}})}, Duration(10'000));

    CHECK(world.seen("p1").digest == "cccc0003");
    CHECK(world.seen("p1").reason.empty());
}

TEST_CASE("going back to the generation that runs ends an update under way", "[agent][update]") {
    AgentWorld world;
    world.engine.behaviours["demo/web:2"].healthy_after = std::chrono::minutes(5);
    world.start_agent();
    world.want({make_placement("p1", "aaaa0001", {{"web"}})});
    const auto before = world.running();
    world.want({make_placement("p1", "bbbb0002", {{"web", kNew + kHealthy}})}, Duration(5'000));
    REQUIRE(world.engine.all().size() == 2);

    world.want({make_placement("p1", "aaaa0001", {{"web"}})}, Duration(10'000));

    CHECK(world.running() == before);
    CHECK(world.engine.all().size() == 1);
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("an update survives a kill of the agent at every call it makes", "[agent][update]") {
    const bool fixed_port = GENERATE(false, true);
    const std::string port = fixed_port ? kPort : std::string();
    for (int step = 0; step < 40; ++step) {
        AgentWorld world;
        world.engine.latency = Duration(10);
        world.start_agent();
        world.want({make_placement("p1", "aaaa0001", {{"web", R"("image":"demo/web:1")" + port}, {"db"}})});
        REQUIRE(world.state_of("p1") == "running");

        world.want({make_placement("p1", "bbbb0002", {{"web", kNew + port}, {"db", kNew}})}, Duration(0));
        for (int i = 0; i < step; ++i) world.pass(Duration(10));
        world.restart_agent();
        world.pass(std::chrono::minutes(1));

        INFO("killed after " << step * 10 << " ms, fixed port " << fixed_port);
        CHECK(world.seen("p1").digest == "bbbb0002");
        CHECK(world.state_of("p1") == "running");
        CHECK(
            world.engine.names("running") ==
            std::vector<std::string>{"icos-hello-p1-0-db-1", "icos-hello-p1-0-web-1"}
        );
        CHECK(world.engine.all().size() == 2);
    }
}
