// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

/// hello on edge-1, everything running.
void run_hello(World& world) {
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.run_all("edge-1");
}

unsigned get_status(World& world) {
    return world.send(http::Method::get, "/api/v1/apps/hello").status;
}
http::Response remove(World& world) {
    return world.send(http::Method::del, "/api/v1/apps/hello");
}

std::vector<PlacementId> ids(World& world, const std::string& node) {
    std::vector<PlacementId> out;
    for (const auto& [id, placement] : world.fleet().plan(node)) out.push_back(id);
    return out;
}

}  // namespace

TEST_CASE("a deleted application is gone when its node has confirmed, and not before", "[job_manager]") {
    World world;
    run_hello(world);
    const auto placements = ids(world, "edge-1");

    const auto response = remove(world);

    CHECK(response.status == 202);
    CHECK(json::parse(response.body).at("state").as_string() == "deleting");
    CHECK(world.fleet().plan("edge-1").empty());
    CHECK(get_status(world) == 200);
    SECTION("first the plan, then the removal") {
        world.fleet().accept("edge-1");
        world.settle();
        CHECK(get_status(world) == 200);
        world.fleet().report("edge-1", {}, {placements[0]});
        world.settle();
        CHECK(get_status(world) == 200);
        world.fleet().report("edge-1", {}, {placements[1]});
    }
    SECTION("first the removal, then the plan") {
        world.fleet().report("edge-1", {}, placements);
        world.settle();
        CHECK(get_status(world) == 200);
        world.fleet().accept("edge-1");
    }
    SECTION("a full report without them") {
        world.fleet().accept("edge-1");
        world.fleet().report("edge-1", {}, {}, true);
    }
    world.settle();
    CHECK(get_status(world) == 404);
    CHECK(world.store->rows().empty());
    CHECK(world.happened("component.removed hello/web"));
    CHECK(world.happened("app.deleted hello"));
}

TEST_CASE("deleting twice is accepted while it lasts and not found afterwards", "[job_manager]") {
    World world;
    run_hello(world);
    const auto placements = ids(world, "edge-1");

    CHECK(remove(world).status == 202);
    CHECK(remove(world).status == 202);
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, placements);
    world.settle();

    const auto response = remove(world);
    CHECK(response.status == 404);
    CHECK(json::parse(response.body).at("code").as_string() == "app.not_found");
    CHECK(json::parse(response.body).at("detail").as_string() == "there is no application named hello");
}

TEST_CASE("an application whose node is away is deleted when the node returns", "[job_manager]") {
    World world;
    run_hello(world);
    Node away = ready_node("edge-1");
    away.state = NodeState::lost;
    world.fleet().set({away});
    world.settle();
    CHECK(world.state("hello") == "degraded");

    remove(world);
    world.settle();

    const auto app = world.app("hello");
    CHECK(app.at("state").as_string() == "deleting");
    CHECK(app.at("reason").as_string() == "api: waits for the node: edge-1 is lost");
    CHECK(world.fleet().plan("edge-1").empty());

    world.fleet().set({ready_node("edge-1")});
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, {}, true);
    world.settle();
    CHECK(get_status(world) == 404);
}

TEST_CASE("a controller that restarts during a delete finishes it", "[job_manager]") {
    World world;
    run_hello(world);
    const auto placements = ids(world, "edge-1");
    remove(world);

    world.reboot();

    CHECK(world.state("hello") == "deleting");
    CHECK(world.fleet().plan("edge-1").empty());
    world.fleet().accept("edge-1");
    world.settle();
    CHECK(get_status(world) == 200);
    world.fleet().report("edge-1", {}, placements);
    world.settle();
    CHECK(get_status(world) == 404);
}

TEST_CASE("a node that leaves the fleet confirms by leaving", "[job_manager]") {
    World world;
    run_hello(world);
    remove(world);

    world.fleet().set({});
    world.settle();

    CHECK(get_status(world) == 404);
    CHECK(world.store->rows().empty());
}

TEST_CASE("an application that was never placed is gone at once", "[job_manager]") {
    World world;
    world.apply("hello", hello());

    CHECK(remove(world).status == 202);
    world.settle();

    CHECK(get_status(world) == 404);
    CHECK(world.store->rows().empty());
}

TEST_CASE("the acceptance of an older plan confirms nothing", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    const std::string with_hello = world.fleet().digest("edge-1");
    remove(world);

    // The node takes the plan with the application only now.
    static_cast<ExecutorListener&>(*world.listener()).accepted(TargetId{"node-edge-1"}, with_hello, {});
    world.settle();
    CHECK(get_status(world) == 200);

    world.fleet().accept("edge-1");
    world.settle();
    CHECK(get_status(world) == 404);
}

TEST_CASE("a plan that went out may have been taken although nobody said so", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    REQUIRE(world.apply("other", worker("other", "memory: 1Gi")).status == 201);
    world.send(http::Method::del, "/api/v1/apps/other");
    const std::string without = world.fleet().digest("edge-1");
    world.fleet().accept("edge-1");
    world.settle();
    REQUIRE(world.send(http::Method::get, "/api/v1/apps/other").status == 404);

    // It goes out with the application, the answer is lost, and the next plan is the one before again.
    REQUIRE(world.apply("other", worker("other", "memory: 1Gi")).status == 201);
    static_cast<ExecutorListener&>(*world.listener()).accepted(TargetId{"node-edge-1"}, {}, {});
    world.send(http::Method::del, "/api/v1/apps/other");
    world.settle();
    REQUIRE(world.fleet().digest("edge-1") == without);
    CHECK(world.send(http::Method::get, "/api/v1/apps/other").status == 200);

    world.fleet().accept("edge-1");
    world.settle();
    CHECK(world.send(http::Method::get, "/api/v1/apps/other").status == 404);
}

TEST_CASE("an application cannot be applied, stopped or started while it is being deleted", "[job_manager]") {
    World world;
    run_hello(world);
    remove(world);

    CHECK(world.apply("hello", hello("demo/web:2")).status == 409);
    CHECK(world.send(http::Method::post, "/api/v1/apps/hello/stop").status == 409);
    CHECK(world.send(http::Method::post, "/api/v1/apps/hello/start").status == 409);
}

TEST_CASE("a node that never heard of the application confirms by taking the empty plan", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    remove(world);

    world.fleet().accept("edge-1");
    world.settle();

    CHECK(get_status(world) == 404);
}

TEST_CASE("If-Match protects an application from being deleted by mistake", "[job_manager]") {
    World world;
    run_hello(world);
    auto request = world.request(http::Method::del, "/api/v1/apps/hello");
    request.headers["If-Match"] = "\"something-1\"";

    CHECK(world.send(request).status == 412);
    CHECK(world.state("hello") == "running");
}
