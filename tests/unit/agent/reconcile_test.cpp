// SPDX-License-Identifier: Apache-2.0
#include "agent_world.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

const std::string kHealthy = R"(,"healthcheck":{"test":["CMD","true"],"interval_ns":1000000000})";

std::size_t position(const std::vector<std::string>& journal, const std::string& entry) {
    return static_cast<std::size_t>(std::find(journal.begin(), journal.end(), entry) - journal.begin());
}

}  // namespace

TEST_CASE("a desired component runs, and the controller hears of it", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});

    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p1-0-web-1"});
    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").digest == "d1");
    REQUIRE(world.seen("p1").services.size() == 1);
    CHECK(world.seen("p1").services[0].service == "web");
    CHECK_FALSE(world.seen("p1").services[0].ip.empty());
    CHECK(world.controller.accepted.back().digest == desired_digest(world.controller.desired));
}

TEST_CASE("an image that is not there is pulled once for all who want it", "[agent]") {
    AgentWorld world;
    world.engine.add_to_registry("demo/big:1");
    world.engine.pull_time = Duration(8'000);
    world.start_agent();
    const std::string big = R"("image":"demo/big:1")";
    world.want(
        {make_placement("p1", "d1", {{"a", big}}), make_placement("p2", "d2", {{"b", big}})}, Duration(5'000)
    );

    CHECK(world.state_of("p1") == "preparing");
    CHECK(world.seen("p1").progress == "pulling demo/big:1 50 % (2.0 of 4.0 MB)");

    world.pass(Duration(10'000));
    CHECK(world.state_of("p1") == "running");
    CHECK(world.state_of("p2") == "running");
    CHECK(world.engine.count("pull") == 1);
}

TEST_CASE("a present image never makes the node ask a registry", "[agent]") {
    AgentWorld world;
    world.engine.registry_reachable = false;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});

    CHECK(world.state_of("p1") == "running");
    CHECK(world.engine.count("pull") == 0);
}

TEST_CASE("an image that does not exist is a failure with its reason, and leaves nothing behind", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web", R"("image":"demo/none:1")"}})});

    CHECK(world.state_of("p1") == "failed");
    CHECK(world.seen("p1").reason_code == "image.not_found");
    CHECK(world.engine.all().empty());
    CHECK(world.engine.all_networks().empty());
}

TEST_CASE("a pull that failed is tried again by itself", "[agent]") {
    AgentWorld world;
    world.engine.registry_reachable = false;
    world.engine.add_to_registry("demo/new:1");
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web", R"("image":"demo/new:1")"}})});
    CHECK(world.state_of("p1") == "failed");

    world.engine.registry_reachable = true;
    world.pass(std::chrono::minutes(6));

    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").reason.empty());
}

TEST_CASE("an image of another architecture is refused before a container is made", "[agent]") {
    AgentWorld world;
    world.engine.add_image("demo/arm:1", "arm64");
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web", R"("image":"demo/arm:1")"}})});

    CHECK(world.state_of("p1") == "failed");
    CHECK(world.seen("p1").reason_code == "image.wrong_architecture");
    CHECK(world.engine.count("create") == 0);
}

TEST_CASE("services start after what they depend on is healthy", "[agent]") {
    AgentWorld world;
    world.engine.behaviours["demo/web:1"].healthy_after = Duration(4'000);
    world.start_agent();
    const std::string needs =
        R"("image":"demo/web:2","depends_on":{"db":{"condition":"service_healthy","required":true}})";
    world.want(
        {make_placement("p1", "d1", {{"web", needs}, {"db", R"("image":"demo/web:1")" + kHealthy}})},
        Duration(2'000)
    );
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p1-0-db-1"});
    CHECK(world.state_of("p1") == "starting");

    world.pass(Duration(4'000));
    CHECK(world.engine.names("running").size() == 2);
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("a job that ends with 0 is completed and is not run again", "[agent]") {
    AgentWorld world;
    world.engine.behaviours["demo/web:1"].exits_with = 0;
    world.engine.behaviours["demo/web:1"].exits_after = Duration(1'000);
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"job"}})}, Duration(10'000));
    CHECK(world.state_of("p1") == "completed");

    world.restart_agent();
    world.reboot();
    world.start_agent();
    world.pass(Duration(10'000));

    CHECK(world.state_of("p1") == "completed");
    CHECK(world.engine.count("start") == 1);
}

TEST_CASE("a container that exits again and again is shown as restarting, with its code", "[agent]") {
    AgentWorld world;
    world.engine.behaviours["demo/web:1"].exits_with = 3;
    world.engine.behaviours["demo/web:1"].exits_after = Duration(100);
    world.start_agent();
    world.want(
        {make_placement("p1", "d1", {{"web", R"("image":"demo/web:1","restart":"always")"}})},
        Duration(20'000)
    );

    CHECK(world.state_of("p1") == "restarting");
    CHECK(world.seen("p1").reason_code == "container.exits");
    CHECK_THAT(world.seen("p1").reason, Catch::Contains("service 'web' exits with code 3, restarted"));
    CHECK(world.engine.count("create") == 1);
}

TEST_CASE("an agent that is killed and started again restarts nothing", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}, {"db", R"("image":"demo/web:2","restart":"always")"}})});
    const auto before = world.running();
    REQUIRE(before.size() == 2);
    const std::size_t journal = world.engine.journal.size();

    world.restart_agent();
    world.pass(std::chrono::minutes(5));

    CHECK(world.running() == before);
    CHECK(world.engine.journal.size() == journal);
}

TEST_CASE("a reconnect moves nothing and restarts nothing", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    const auto before = world.running();
    const std::size_t reports = world.controller.reports.size();
    const std::size_t accepted = world.controller.accepted.size();

    world.controller.drop_link();
    world.pass(std::chrono::minutes(2));

    REQUIRE(world.controller.hellos.size() >= 2);
    CHECK(world.running() == before);
    CHECK(world.controller.reports.size() == reports);
    CHECK(world.controller.accepted.size() == accepted);
}

TEST_CASE("a new generation that does not change a component does not touch it", "[agent]") {
    AgentWorld world;
    world.start_agent();
    DesiredPlacement placement = make_placement("p1", "d1", {{"web"}});
    world.want({placement});
    const auto before = world.running();

    placement.generation = 7;
    world.want({placement});

    CHECK(world.running() == before);
    CHECK(world.seen("p1").generation == 7);
}

TEST_CASE("after a reboot without network everything runs again from the node's own disk", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"once"}, {"web", R"("image":"demo/web:2","restart":"always")"}})}
    );
    REQUIRE(world.running().size() == 2);

    world.reboot();
    world.controller.reachable = false;
    world.engine.registry_reachable = false;
    world.start_agent();

    CHECK(world.engine.names("running").size() == 2);
    CHECK(world.engine.count("create") == 2);
}

TEST_CASE("a container that the engine ended on its way down runs again when it is back", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    REQUIRE(world.state_of("p1") == "running");

    world.engine.available = false;
    world.engine.restart_engine();
    world.pass(Duration(30'000));
    world.engine.available = true;
    world.pass(Duration(30'000));

    CHECK(world.state_of("p1") == "running");
    CHECK(world.engine.names("running").size() == 1);
}

TEST_CASE("what is no longer wanted leaves no container, network or volume", "[agent]") {
    AgentWorld world;
    world.start_agent();
    const std::string volume =
        R"("image":"demo/web:1","volumes":[{"type":"volume","source":"data","target":"/data"}])";
    world.want({make_placement("p1", "d1", {{"web", volume}}, R"(,"volumes":{"data":{}})")});
    REQUIRE(world.engine.all_volumes().size() == 1);
    REQUIRE_FALSE(world.engine.all_networks().empty());

    world.want({});

    CHECK(world.engine.all().empty());
    CHECK(world.engine.all_networks().empty());
    CHECK(world.engine.all_volumes().empty());
    CHECK(world.state_of("p1") == "absent");
}

TEST_CASE("the application's network stays while one of its components does", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}}), make_placement("p2", "d2", {{"db"}})});
    const auto networks = world.engine.all_networks().size();

    world.want({make_placement("p2", "d2", {{"db"}})});

    CHECK(world.engine.all_networks().size() >= 1);
    CHECK(world.engine.all_networks().size() <= networks);
    CHECK(world.state_of("p2") == "running");
    world.want({});
    CHECK(world.engine.all_networks().empty());
}

TEST_CASE("a removal that is cut short by a crash is finished after it", "[agent]") {
    AgentWorld world;
    world.start_agent();
    const std::string volume =
        R"("image":"demo/web:1","volumes":[{"type":"volume","source":"data","target":"/data"}])";
    world.want({make_placement("p1", "d1", {{"web", volume}}, R"(,"volumes":{"data":{}})")});
    world.engine.fail_next("remove_volume", "", Error{engine_errc::failed, "not now"});
    world.want({}, Duration(500));
    REQUIRE(world.engine.all().empty());
    REQUIRE(world.engine.all_volumes().size() == 1);

    world.kill_agent();
    world.disk.lose_power();
    world.start_agent();

    CHECK(world.engine.all_volumes().empty());
    CHECK(world.engine.all_networks().empty());
}

TEST_CASE("what was deleted while the node was away is gone after the handshake", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}}), make_placement("p2", "d2", {{"db"}})});
    world.controller.reachable = false;
    world.controller.drop_link();
    world.controller.desired.erase(PlacementId{"p1"});
    world.pass(std::chrono::minutes(10));
    REQUIRE(world.running().size() == 2);

    world.controller.reachable = true;
    world.pass(std::chrono::minutes(1));

    CHECK(world.state_of("p1") == "absent");
    CHECK(world.running().size() == 1);
}

TEST_CASE("containers of an unknown placement go, those of another target stay", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    const auto labelled = [](const std::string& target) {
        return boost::json::object{
            {"Image", "demo/web:1"},
            {"Labels",
             {{"icos.eu/managed-by", "icos-agent"},
              {"icos.eu/target", target},
              {"icos.eu/placement", "lost"},
              {"icos.eu/spec-digest", "dx"},
              {"icos.eu/service", "web"}}},
        };
    };
    (void)run(world.runtime, world.engine.create_container("orphan", labelled("node-1")));
    (void)run(world.runtime, world.engine.create_container("foreign", labelled("node-2")));
    (void
    )run(world.runtime, world.engine.create_container("mine", boost::json::object{{"Image", "demo/web:1"}}));

    world.pass(std::chrono::minutes(2));

    CHECK(world.engine.by_name("orphan") == nullptr);
    CHECK(world.engine.by_name("foreign") != nullptr);
    CHECK(world.engine.by_name("mine") != nullptr);
}

TEST_CASE(
    "a node whose log was lost removes nothing before a controller tells it what it should run", "[agent]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    const auto before = world.running();
    world.kill_agent();
    world.disk.put("/state/accepted.log", "");
    world.controller.reachable = false;

    world.start_agent();
    world.pass(std::chrono::minutes(5));
    CHECK(world.running() == before);

    world.controller.reachable = true;
    world.pass(std::chrono::minutes(2));
    CHECK(world.running() == before);
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("stop keeps the containers, start runs the same ones", "[agent]") {
    AgentWorld world;
    world.start_agent();
    DesiredPlacement placement =
        make_placement("p1", "d1", {{"web"}, {"db", R"("image":"demo/web:2","restart":"always")"}});
    world.want({placement});
    const auto before = world.running();

    placement.run = false;
    world.want({placement});
    CHECK(world.state_of("p1") == "stopped");
    CHECK(world.running().empty());
    CHECK(world.engine.all().size() == 2);

    world.restart_agent();
    world.pass(std::chrono::minutes(2));
    CHECK(world.running().empty());

    placement.run = true;
    world.want({placement});
    CHECK(world.state_of("p1") == "running");
    const auto after = world.running();
    REQUIRE(after.size() == before.size());
    CHECK(std::equal(after.begin(), after.end(), before.begin(), [](const auto& a, const auto& b) {
        return a.first == b.first;
    }));
}

TEST_CASE("somebody removed a container by hand: it is made again", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});

    (void)run(world.runtime, world.engine.remove_container("icos-hello-p1-0-web-1"));
    world.pass(Duration(5'000));

    CHECK(world.engine.names("running").size() == 1);
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("a manifest that cannot be planned fails alone and is not tried again", "[agent]") {
    AgentWorld world;
    world.start_agent();
    DesiredPlacement broken = make_placement("p1", "d1", {{"web"}});
    broken.manifests[0].compose = "{\"services\": 7}";
    world.want({broken, make_placement("p2", "d2", {{"db"}})}, std::chrono::minutes(1));

    CHECK(world.state_of("p1") == "failed");
    CHECK(world.seen("p1").reason_code == "spec.invalid");
    CHECK(world.state_of("p2") == "running");
}

TEST_CASE(
    "a port that another application holds is the reason, and the component starts when it is free", "[agent]"
) {
    AgentWorld world;
    world.start_agent();
    const std::string port =
        R"("image":"demo/web:1","ports":[{"target":80,"published":8080,"protocol":"tcp"}])";
    DesiredPlacement other = make_placement("p2", "d2", {{"web", port}});
    world.want({make_placement("p1", "d1", {{"web", port}})});
    world.want({make_placement("p1", "d1", {{"web", port}}), other});
    CHECK(world.state_of("p2") == "failed");
    CHECK(world.seen("p2").reason_code == "port.taken");

    world.want({other}, std::chrono::minutes(6));
    CHECK(world.state_of("p2") == "running");
}

TEST_CASE("containers stop in the reverse of the order they start in", "[agent]") {
    AgentWorld world;
    world.start_agent();
    const std::string needs =
        R"("image":"demo/web:2","depends_on":{"db":{"condition":"service_started","required":true}})";
    world.want({make_placement("p1", "d1", {{"web", needs}, {"db"}})});
    world.want({});

    const auto& journal = world.engine.journal;
    CHECK(position(journal, "start icos-hello-p1-0-db-1") < position(journal, "start icos-hello-p1-0-web-1"));
    CHECK(position(journal, "stop icos-hello-p1-0-web-1") < position(journal, "stop icos-hello-p1-0-db-1"));
}
