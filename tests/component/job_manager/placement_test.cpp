// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

std::string text(const json::value& value, std::string_view key) {
    return std::string(value.at(key).as_string());
}

const json::value& placement(const json::value& app, std::size_t component = 0, std::size_t index = 0) {
    return app.at("components").at(component).at("placements").at(index);
}

std::string on(World& world, const std::string& app) {
    std::string nodes;
    const auto list = world.get("/api/v1/placements?app=" + app);
    for (const auto& item : list.at("items").as_array()) {
        nodes += (nodes.empty() ? "" : " ") + text(item, "node");
    }
    return nodes;
}

}  // namespace

TEST_CASE("what fits nowhere is accepted, waits, and says why per node", "[job_manager]") {
    World world;
    Node arm = ready_node("edge-2");
    arm.architecture = "arm64";
    arm.memory_bytes = 64 * kGi;
    Node cordoned = ready_node("edge-3");
    cordoned.cordoned = true;
    world.fleet().set({ready_node("edge-1"), arm, cordoned});

    const auto response = world.apply("big", worker("big", "memory: 9Gi, architecture: x86_64"));
    CHECK(response.status == 201);
    const auto app = world.app("big");

    CHECK(text(app, "state") == "pending");
    CHECK(text(app, "reason") == "worker: no node fits (3 considered)");
    CHECK(text(app, "reason_code") == "placement.no_node");
    const auto& waiting = placement(app);
    CHECK(text(waiting, "id").empty());
    CHECK(text(waiting, "node").empty());
    CHECK(text(waiting, "state") == "pending");
    REQUIRE(waiting.at("rejections").as_array().size() == 3);
    CHECK(text(waiting.at("rejections").at(0), "message") == "memory: needs 9Gi, 8Gi free");
    CHECK(text(waiting.at("rejections").at(0), "relaxation") == "8Gi would fit");
    CHECK(text(waiting.at("rejections").at(1), "message") == "architecture: needs x86_64, is arm64");
    CHECK(text(waiting.at("rejections").at(2), "message") == "cordoned");
    CHECK(world.event("placement.pending", "big/worker").message == "pending: no node fits (3 considered)");
}

TEST_CASE("what waits is placed when a node comes that fits", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", "memory: 9Gi"));
    Node large = ready_node("edge-2");
    large.memory_bytes = 16 * kGi;

    world.fleet().set({ready_node("edge-1"), large});
    world.settle();

    CHECK(on(world, "big") == "edge-2");
    CHECK(world.desired("edge-2", "worker").app == "big");
    CHECK(world.happened("placement.decided big/worker"));
}

TEST_CASE(
    "what waits is placed when another application frees its place, the oldest first", "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("first", worker("first", "memory: 6Gi"));
    world.apply("second", worker("second", "memory: 6Gi"));
    world.run_time().advance(Duration(1000));
    world.apply("third", worker("third", "memory: 6Gi"));
    world.run_all("edge-1");
    CHECK(world.state("second") == "pending");

    world.send(http::Method::del, "/api/v1/apps/first");
    world.settle();
    CHECK(world.fleet().plan("edge-1").empty());
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, {}, true);
    world.settle();

    CHECK(on(world, "second") == "edge-1");
    CHECK(world.state("third") == "pending");
}

TEST_CASE("an application for an engine that no target has stays pending with that reason", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    const std::string pods =
        "name: pods\ncomponents:\n  - name: pods\n    type: kubernetes\n    manifests: [{name: "
        "pods}]\nmanifests:\n"
        "  - name: pods\n    manifest:\n      apiVersion: v1\n      kind: Pod\n      metadata: {name: pods}\n"
        "      spec: {containers: [{name: a, image: \"demo/a:1\"}]}\n";

    const auto response = world.apply("pods", pods);

    INFO(response.body);
    REQUIRE(response.status == 201);
    CHECK(text(world.app("pods"), "state") == "pending");
    CHECK(text(world.app("pods"), "reason") == "pods: no target runs kubernetes");
    CHECK(text(world.app("pods"), "engine") == "kubernetes");
}

TEST_CASE("without any node the reason is that", "[job_manager]") {
    World world;
    world.apply("big", worker("big", ""));

    CHECK(text(world.app("big"), "reason") == "worker: no node has joined yet");
}

TEST_CASE("reasons that name an age are made anew while something waits", "[job_manager]") {
    World world;
    Node lost = ready_node("edge-1");
    lost.state = NodeState::lost;
    lost.last_seen = world.run_time().wall();
    world.fleet().set({lost});
    world.run_time().advance(Duration(30'000));
    world.apply("big", worker("big", ""));
    const auto message = [&] { return text(placement(world.app("big")).at("rejections").at(0), "message"); };
    CHECK(message() == "lost 30 s ago");

    world.run_time().advance(Duration(120'000));

    CHECK(message() == "lost 2 min ago");
    const auto all = world.history();
    CHECK(std::count(all.begin(), all.end(), "placement.pending big/worker") == 1);
}

TEST_CASE("host ports of other applications keep a node from being taken", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    const auto with_port = [](const std::string& name) {
        return descriptor_text(
            name,
            component_text("web"),
            manifest_text("web", "demo/web:1", "          ports: [\"8080:80\"]\n")
        );
    };
    world.apply("one", with_port("one"));

    const auto response = world.apply("two", with_port("two"));

    CHECK(response.status == 201);
    CHECK(
        text(placement(world.app("two")).at("rejections").at(0), "message") == "host port: 8080/tcp is taken"
    );
}

TEST_CASE("the same requirements keep a component where it is while another is added", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply(
        "hello",
        descriptor_text("hello", component_text("web", "memory: 1Gi"), manifest_text("web", "demo/web:1"))
    );
    const auto before = world.desired("edge-1", "web");
    // Much emptier: where it would go now.
    Node large = ready_node("edge-2");
    large.memory_bytes = 64 * kGi;
    world.fleet().set({ready_node("edge-1"), large});

    world.apply(
        "hello",
        descriptor_text(
            "hello",
            component_text("web", "memory: 1Gi") + component_text("api", "memory: 1Gi"),
            manifest_text("web", "demo/web:1") + manifest_text("api", "demo/api:1")
        )
    );

    CHECK(world.desired("edge-1", "web").placement == before.placement);
    CHECK(world.desired("edge-1", "web").digest == before.digest);
    CHECK(world.desired("edge-2", "api").component == "api");
}

TEST_CASE(
    "an update that no longer fits its node moves without a gap, and the old place stays taken until it is "
    "gone",
    "[job_manager]"
) {
    World world;
    Node small = ready_node("edge-1");
    small.memory_bytes = 4 * kGi;
    world.fleet().set({small});
    world.apply("big", worker("big", "memory: 3Gi"));
    world.run_all("edge-1");
    const PlacementId old = world.desired("edge-1", "worker").placement;
    world.fleet().set({small, ready_node("edge-2")});
    world.settle();

    world.apply("big", worker("big", "memory: 6Gi"));

    CHECK(world.desired("edge-1", "worker").generation == 1);
    CHECK(world.desired("edge-2", "worker").generation == 2);
    CHECK(
        world.event("placement.moved", "big/worker").message ==
        "edge-1 -> edge-2, generation 2 does not fit edge-1"
    );
    const auto* claims = world.ports->find<ClaimsView>();
    CHECK(claims->current().at(NodeId{"node-edge-1"}).memory_bytes == 3 * kGi);
    // While it starts nothing returns to where it no longer fits.
    world.fleet().accept("edge-2");
    const auto& next = world.desired("edge-2", "worker");
    world.fleet().report("edge-2", {world.seen(next, agent::PlacementState::starting)}, {}, true);
    world.settle();
    CHECK_FALSE(world.happened("placement.kept big/worker"));
    CHECK(world.desired("edge-1", "worker").generation == 1);
    world.run_all("edge-2");
    CHECK(world.fleet().plan("edge-1").empty());
    CHECK(claims->current().at(NodeId{"node-edge-1"}).memory_bytes == 3 * kGi);
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, {old});
    world.settle();
    CHECK_FALSE(claims->current().contains(NodeId{"node-edge-1"}));
    CHECK(world.state("big") == "running");
}

TEST_CASE("an update that fits nowhere leaves the old generation running and says so", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", "memory: 3Gi", "demo/worker:1"));
    world.run_all("edge-1");
    const auto old = world.desired("edge-1", "worker");

    world.apply("big", worker("big", "memory: 60Gi", "demo/worker:2"));

    CHECK(world.desired("edge-1", "worker").digest == old.digest);
    CHECK(world.desired("edge-1", "worker").generation == 1);
    CHECK(text(world.app("big"), "state") == "degraded");
    CHECK(text(world.app("big"), "reason") == "worker: generation 2: no node fits (1 considered)");

    // It also survives a restart, with the content of the first generation.
    world.reboot();
    CHECK(world.desired("edge-1", "worker").digest == old.digest);
    CHECK(world.desired("edge-1", "worker").manifests == old.manifests);

    // And goes on when there is room.
    Node large = ready_node("edge-2");
    large.memory_bytes = 64 * kGi;
    world.fleet().set({ready_node("edge-1"), large});
    world.settle();
    CHECK(world.desired("edge-2", "worker").generation == 2);
}

TEST_CASE("a port that moves from one component to another waits until it is free", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    const std::string port = "          ports: [\"8080:80\"]\n";
    world.apply(
        "hello", descriptor_text("hello", component_text("old"), manifest_text("old", "demo/web:1", port))
    );
    world.run_all("edge-1");
    const PlacementId old = world.desired("edge-1", "old").placement;

    world.apply(
        "hello", descriptor_text("hello", component_text("new"), manifest_text("new", "demo/web:1", port))
    );
    CHECK(world.fleet().plan("edge-1").empty());
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, {old});
    world.settle();

    CHECK(world.desired("edge-1", "new").generation == 2);
}

TEST_CASE("one replica per listed label value, and the value without a node is named", "[job_manager]") {
    World world;
    Node lab = ready_node("edge-1");
    lab.labels["site"] = "lab";
    Node roof = ready_node("edge-2");
    roof.labels["site"] = "roof";
    world.fleet().set({lab, roof});
    const std::string label = "nodelabel: {key: site, values: [lab, roof, cellar]}";

    const auto response = world.apply("big", worker("big", label));

    INFO(response.body);
    REQUIRE(response.status == 201);
    CHECK(world.desired("edge-1", "worker", 0).replica == 0);
    CHECK(world.desired("edge-2", "worker", 1).replica == 1);
    CHECK(text(world.app("big"), "reason") == "worker: no node fits for site=cellar (2 considered)");
}

TEST_CASE("components that communicate share a node", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1"), ready_node("edge-2")});
    const std::string components =
        "  - name: web\n    type: docker\n    manifests: [{name: web}]\n    communication: [{incoming: "
        "api}]\n" +
        component_text("api");

    const auto response = world.apply(
        "hello",
        descriptor_text(
            "hello", components, manifest_text("web", "demo/web:1") + manifest_text("api", "demo/api:1")
        )
    );

    INFO(response.body);
    REQUIRE(response.status == 201);
    CHECK(on(world, "hello") == "edge-1 edge-1");
}

TEST_CASE("explain covers what runs and what waits, and moves nothing", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", "memory: 3Gi"));
    Node large = ready_node("edge-2");
    large.memory_bytes = 64 * kGi;
    Node labelled = ready_node("edge-3");
    labelled.cordoned = true;
    world.fleet().set({ready_node("edge-1"), large, labelled});
    world.settle();

    const auto body = world.get("/api/v1/apps/big/explain?component=worker");

    REQUIRE(body.at("items").as_array().size() == 1);
    const auto& item = body.at("items").at(0);
    CHECK(text(item, "node") == "edge-1");
    CHECK(text(item, "reason") == "stays");
    CHECK(item.at("considered").to_number<int>() == 3);
    CHECK(item.at("candidates").as_array().size() == 2);
    CHECK(text(item.at("rejections").at(0), "message") == "cordoned");
    CHECK(world.send(http::Method::get, "/api/v1/apps/big/explain?component=other").status == 404);
    CHECK(on(world, "big") == "edge-1");
}

TEST_CASE("a node that leaves the fleet has its replicas placed elsewhere", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", ""));
    world.run_all("edge-1");

    world.fleet().set({ready_node("edge-2")});
    world.settle();

    CHECK(on(world, "big") == "edge-2");
    CHECK(world.desired("edge-2", "worker").app == "big");
}

TEST_CASE("a node without placements is offered the empty plan, so that it keeps nothing", "[job_manager]") {
    World world;

    world.fleet().set({ready_node("edge-1")});
    world.settle();

    CHECK(world.fleet().plan("edge-1").empty());
    CHECK(world.fleet().digest("edge-1") == agent::desired_digest({}));
}

TEST_CASE("replicas of a stopped application are not placed until it starts", "[job_manager]") {
    World world;
    world.apply("big", worker("big", ""));
    world.send(http::Method::post, "/api/v1/apps/big/stop");
    world.fleet().set({ready_node("edge-1")});
    world.settle();
    CHECK(world.fleet().plan("edge-1").empty());
    CHECK(world.state("big") == "stopped");

    world.send(http::Method::post, "/api/v1/apps/big/start");
    world.settle();

    CHECK(world.desired("edge-1", "worker").run);
}
