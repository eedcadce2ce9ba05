// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;
using agent::PlacementState;

namespace {

std::string text(const json::value& value, std::string_view key) {
    return std::string(value.at(key).as_string());
}

}  // namespace

TEST_CASE("an application runs when all of its components do", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.fleet().accept("edge-1");

    world.fleet().report("edge-1", {world.seen(world.desired("edge-1", "web"))});
    world.settle();
    CHECK(world.state("hello") == "deploying");
    world.fleet().report("edge-1", {world.seen(world.desired("edge-1", "api"))});
    world.settle();

    const auto app = world.app("hello");
    CHECK(text(app, "state") == "running");
    CHECK(app.at("ready").to_number<int>() == 2);
    CHECK(app.at("total").to_number<int>() == 2);
    CHECK(world.happened("component.running hello/web"));
    CHECK(world.event("app.running", "hello").message == "2/2 ready");
}

TEST_CASE("an observed placement is shown with its services, restarts and address", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    auto seen = world.seen(world.desired("edge-1", "web"));
    agent::ObservedService service;
    service.service = "web";
    service.state = "running";
    service.health = "healthy";
    service.restarts = 2;
    service.ports = {"0.0.0.0:8080->80/tcp"};
    seen.services = {service};
    seen.progress = "pulling demo/web:1 38 %";
    world.run_time().advance(Duration(1600));

    world.fleet().report("edge-1", {seen});
    world.settle();

    const auto placement = world.get("/api/v1/placements?app=hello").at("items").at(1);
    CHECK(text(placement, "component") == "web");
    CHECK(text(placement, "state") == "running");
    CHECK(text(placement, "address") == "10.0.0.1:8080");
    CHECK(text(placement, "progress") == "pulling demo/web:1 38 %");
    CHECK(placement.at("restarts").to_number<int>() == 2);
    CHECK(text(placement.at("services").at(0), "health") == "healthy");
    CHECK(world.event("component.running", "hello/web").message.starts_with("edge-1, healthy after 1."));
    CHECK_FALSE(world.get("/api/v1/apps")
                    .at("items")
                    .at(0)
                    .at("components")
                    .at(0)
                    .at("placements")
                    .at(0)
                    .as_object()
                    .contains("services"));
}

TEST_CASE("a component that fails says why, and its application with it", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", ""));
    auto seen = world.seen(world.desired("edge-1", "worker"), PlacementState::failed);
    seen.reason = "there is no image demo/worker:1";
    seen.reason_code = "image.not_found";

    world.fleet().report("edge-1", {seen});
    world.settle();

    const auto app = world.app("big");
    CHECK(text(app, "state") == "failed");
    CHECK(text(app, "reason") == "worker: there is no image demo/worker:1");
    CHECK(text(app, "reason_code") == "image.not_found");
    CHECK(world.event("component.failed", "big/worker").message == "edge-1: there is no image demo/worker:1");
    CHECK(world.event("app.failed", "big").message == "worker: there is no image demo/worker:1");
}

TEST_CASE("progress alone is shown but not written", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", ""));
    auto seen = world.seen(world.desired("edge-1", "worker"), PlacementState::preparing);
    world.fleet().report("edge-1", {seen});
    world.settle();
    const auto commits = world.store->commits();

    seen.progress = "pulling 10 %";
    world.fleet().report("edge-1", {seen});
    world.settle();

    CHECK(world.store->commits() == commits);
    CHECK(text(world.get("/api/v1/placements").at("items").at(0), "progress") == "pulling 10 %");
}

TEST_CASE("an update counts as running only once the node runs it", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", "", "demo/worker:1"));
    world.run_all("edge-1");
    const auto old = world.seen(world.desired("edge-1", "worker"));

    world.apply("big", worker("big", "", "demo/worker:2"));
    CHECK(world.state("big") == "deploying");

    auto updating = old;
    updating.wanted_digest = world.desired("edge-1", "worker").digest;
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {updating});
    world.settle();
    CHECK(world.state("big") == "deploying");
    CHECK(text(world.get("/api/v1/placements").at("items").at(0), "state") == "preparing");

    SECTION("it runs") {
        world.run_all("edge-1");
        CHECK(world.state("big") == "running");
    }
    SECTION("it fails and the old content stays") {
        updating.reason = "there is no image demo/worker:2";
        updating.reason_code = "image.not_found";
        world.fleet().report("edge-1", {updating});
        world.settle();
        CHECK(world.state("big") == "degraded");
        CHECK(text(world.app("big"), "reason") == "worker: there is no image demo/worker:2");
    }
}

TEST_CASE("stop keeps the placements and start runs them again", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.run_all("edge-1");
    const PlacementId web = world.desired("edge-1", "web").placement;

    const auto stopping = world.send(http::Method::post, "/api/v1/apps/hello/stop");
    CHECK(stopping.status == 200);
    CHECK(text(json::parse(stopping.body), "state") == "stopping");
    CHECK_FALSE(world.desired("edge-1", "web").run);
    world.run_all("edge-1");
    CHECK(world.state("hello") == "stopped");
    CHECK(world.happened("app.stopped hello"));

    world.send(http::Method::post, "/api/v1/apps/hello/start");
    CHECK(world.desired("edge-1", "web").run);
    CHECK(world.desired("edge-1", "web").placement == web);
    CHECK(world.state("hello") == "deploying");
    world.run_all("edge-1");
    CHECK(world.state("hello") == "running");
}

TEST_CASE("a stopped application that is applied again stays stopped", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.send(http::Method::post, "/api/v1/apps/hello/stop");

    const auto response = world.apply("hello", hello("demo/web:2"));

    CHECK(text(json::parse(response.body).at("app"), "desired") == "stopped");
    CHECK_FALSE(world.desired("edge-1", "web").run);
    CHECK(world.desired("edge-1", "web").generation == 2);
}

TEST_CASE(
    "a component that keeps its data is unreachable on a lost node, stays placed, and comes back",
    "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1"), ready_node("edge-2")});
    world.apply("big", worker("big", "") + "x-icos: {onNodeLoss: keep}\n");
    world.run_all("edge-1");
    const PlacementId before = world.desired("edge-1", "worker").placement;
    Node lost = ready_node("edge-1");
    lost.state = NodeState::lost;

    world.fleet().set({lost, ready_node("edge-2")});
    world.settle();

    CHECK(world.state("big") == "degraded");
    const auto placement = world.get("/api/v1/placements").at("items").at(0);
    CHECK(text(placement, "state") == "unreachable");
    CHECK(text(placement, "reason") == "edge-1 is lost");
    CHECK(world.desired("edge-1", "worker").placement == before);
    CHECK(world.fleet().plan("edge-2").empty());

    world.fleet().set({ready_node("edge-1"), ready_node("edge-2")});
    world.settle();
    CHECK(world.state("big") == "running");
}

TEST_CASE("a node that does not take its plan is named in the reason", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", ""));

    world.fleet().accept("edge-1", "the disk is full");
    world.settle();

    CHECK(text(world.app("big"), "reason") == "worker: edge-1 did not take the plan: the disk is full");
    world.fleet().accept("edge-1");
    world.settle();
    CHECK(text(world.app("big"), "reason").empty());
}

TEST_CASE("messages on the bus follow what became durable", "[job_manager]") {
    World world;
    std::vector<std::string> heard;
    const auto accepted = world.bus->subscribe<messages::AppAccepted>(
        "test",
        16,
        Overflow::drop_oldest,
        [&heard](std::shared_ptr<const messages::AppAccepted> m) -> Task<> {
            heard.push_back("accepted " + m->name + " " + std::to_string(m->generation));
            return []() -> Task<> { co_return; }();
        }
    );
    const auto observed = world.bus->subscribe<messages::ComponentObserved>(
        "test",
        16,
        Overflow::drop_oldest,
        [&heard](std::shared_ptr<const messages::ComponentObserved> m) -> Task<> {
            heard.push_back("observed " + m->component + " on " + m->node);
            return []() -> Task<> { co_return; }();
        }
    );
    const auto deleted = world.bus->subscribe<messages::AppDeleted>(
        "test",
        16,
        Overflow::drop_oldest,
        [&heard](std::shared_ptr<const messages::AppDeleted> m) -> Task<> {
            heard.push_back("deleted " + m->name);
            return []() -> Task<> { co_return; }();
        }
    );
    world.fleet().set({ready_node("edge-1")});

    world.apply("big", worker("big", ""));
    world.run_all("edge-1");
    world.send(http::Method::del, "/api/v1/apps/big");
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, {}, true);
    world.settle();

    CHECK(heard == std::vector<std::string>{"accepted big 1", "observed worker on edge-1", "deleted big"});
}

TEST_CASE("lists are paged in order and filtered", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    for (const char* name : {"c", "a", "b"}) world.apply(name, worker(name, ""));

    const auto first = world.get("/api/v1/apps?limit=2");
    CHECK(text(first.at("items").at(0), "name") == "a");
    CHECK(text(first.at("items").at(1), "name") == "b");
    const auto second = world.get("/api/v1/apps?limit=2&after=" + text(first, "next"));
    REQUIRE(second.at("items").as_array().size() == 1);
    CHECK(text(second.at("items").at(0), "name") == "c");
    CHECK(second.at("next").is_null());
    CHECK(world.get("/api/v1/components?app=b").at("items").as_array().size() == 1);
    CHECK(world.get("/api/v1/placements?node=edge-1").at("items").as_array().size() == 3);
    CHECK(world.get("/api/v1/placements?node=edge-9").at("items").as_array().empty());
    CHECK(world.send(http::Method::get, "/api/v1/apps?limit=many").status == 400);
}

TEST_CASE("applications of different projects do not meet", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});

    CHECK(world.send(http::Method::put, "/api/v1/apps/hello?project=red", hello()).status == 201);
    CHECK(world.send(http::Method::put, "/api/v1/apps/hello?project=blue", hello()).status == 201);

    CHECK(world.send(http::Method::get, "/api/v1/apps/hello").status == 404);
    CHECK(text(world.get("/api/v1/apps/hello?project=red"), "project") == "red");
    CHECK(world.get("/api/v1/apps?project=blue").at("items").as_array().size() == 1);
}

TEST_CASE("the metrics count applications and what waits", "[job_manager]") {
    World world;
    world.apply("hello", hello());

    const std::string metrics = world.modules.back()->metrics();

    CHECK(metrics.find("icos_job_manager_apps{state=\"pending\"} 1\n") != std::string::npos);
    CHECK(metrics.find("icos_job_manager_replicas_waiting 2\n") != std::string::npos);
    CHECK(metrics.find("icos_job_manager_applied_total 1\n") != std::string::npos);
    CHECK(world.modules.back()->health().ok);
}
