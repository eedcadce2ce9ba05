// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

std::vector<Node> three(
    NodeState first = NodeState::ready,
    NodeState second = NodeState::ready,
    NodeState third = NodeState::ready
) {
    std::vector<Node> nodes{ready_node("edge-1"), ready_node("edge-2"), ready_node("edge-3")};
    nodes[0].state = first;
    nodes[1].state = second;
    nodes[2].state = third;
    return nodes;
}

/// "edge-1 running, edge-2 removing": where the copies of an application are.
std::string copies(World& world, const std::string& app) {
    std::string out;
    const auto list = world.get("/api/v1/placements?app=" + app);
    for (const auto& item : list.at("items").as_array()) {
        if (item.at("node").as_string().empty()) continue;
        out += (out.empty() ? "" : ", ") + std::string(item.at("node").as_string()) + " " +
               std::string(item.at("state").as_string());
    }
    return out;
}

/// The application runs on edge-1, because the others come later.
void run_on_first(World& world, const std::string& app, const std::string& text) {
    world.fleet().set({ready_node("edge-1")});
    const auto response = world.apply(app, text);
    INFO(response.body);
    REQUIRE(response.status == 201);
    world.run_all("edge-1");
    world.fleet().set(three());
    world.settle();
    world.run_all("edge-2");
    world.run_all("edge-3");
    REQUIRE(copies(world, app).starts_with("edge-1 running"));
    REQUIRE(copies(world, app).find("edge-2") == std::string::npos);
    REQUIRE(copies(world, app).find("edge-3") == std::string::npos);
}

std::string with_rule(const std::string& text, const std::string& rule) {
    return text + "x-icos: {onNodeLoss: " + rule + "}\n";
}

/// The other nodes have no room for another worker of 5Gi.
void fill_the_others(World& world) {
    world.apply("fill-2", worker("fill-2", "memory: 5Gi"));
    world.apply("fill-3", worker("fill-3", "memory: 5Gi"));
}

std::vector<Node> draining_first() {
    auto nodes = three();
    nodes[0].cordoned = true;
    nodes[0].draining = true;
    return nodes;
}

std::string where(World& world) {
    for (const char* node : {"edge-2", "edge-3"}) {
        if (!world.fleet().plan(node).empty()) return node;
    }
    return {};
}

/// A worker ran on edge-1, which is lost. The node where it goes.
std::string lose_first(World& world) {
    run_on_first(world, "job", worker("job", "memory: 1Gi"));
    world.fleet().set(three(NodeState::lost));
    world.settle();
    std::string successor = where(world);
    REQUIRE_FALSE(successor.empty());
    return successor;
}

}  // namespace

TEST_CASE(
    "what ran on a lost node runs elsewhere, and one copy remains when the node returns",
    "[job_manager][loss]"
) {
    World world;
    run_on_first(world, "job", worker("job", "memory: 1Gi"));

    world.fleet().set(three(NodeState::lost));
    world.settle();
    const std::string successor = where(world);
    REQUIRE_FALSE(successor.empty());
    CHECK(
        world.event("placement.moved", "job/worker").message ==
        "edge-1 -> " + successor + ", cause: node lost"
    );
    world.run_all(successor);
    CHECK(world.state("job") == "running");
    CHECK(copies(world, "job") == successor + " running, edge-1 removing");

    world.fleet().set(three());
    world.settle();
    CHECK(world.fleet().plan("edge-1").empty());
    world.run_all("edge-1");
    CHECK(copies(world, "job") == successor + " running");
    CHECK(world.happened("component.removed job/worker"));
}

TEST_CASE("a lost node's work is not taken from it while it fits nowhere else", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 5Gi"));
    fill_the_others(world);

    world.fleet().set(three(NodeState::lost));
    world.settle();
    CHECK(copies(world, "job") == "edge-1 unreachable");
    CHECK(world.fleet().plan("edge-1").size() == 1);
    CHECK(
        world.event("placement.pending", "job/worker").message ==
        "stays on edge-1: no node fits (3 considered)"
    );

    world.fleet().set(three());
    world.settle();
    CHECK(copies(world, "job") == "edge-1 running");
    CHECK(world.state("job") == "running");
}

TEST_CASE("a node that returns before its successor is ready keeps its copy", "[job_manager][loss]") {
    World world;
    const std::string successor = lose_first(world);

    world.fleet().set(three());
    world.settle();

    CHECK(world.fleet().plan("edge-1").size() == 1);
    CHECK(world.fleet().plan(successor).empty());
    world.run_all(successor);
    CHECK(copies(world, "job") == "edge-1 running");
    CHECK(world.state("job") == "running");
    CHECK(world.happened("placement.kept job/worker"));
}

TEST_CASE(
    "a successor is not given up before its node has said what it did meanwhile", "[job_manager][loss]"
) {
    World world;
    const std::string successor = lose_first(world);
    SECTION("it took its plan before") {
        world.fleet().accept(successor);
    }
    SECTION("it could not take its plan before") {
        world.fleet().accept(successor, "no space left on device");
    }

    // Both answer again; one begins anew, the other has not said yet what it has.
    const auto& left = world.desired("edge-1", "worker");
    world.fleet().report("edge-1", {world.seen(left, agent::PlacementState::starting)}, {}, true);
    world.listener()->accepted(TargetId{"node-" + successor}, {}, {});
    world.fleet().set(three());
    world.settle();

    CHECK(world.fleet().plan(successor).size() == 1);
    CHECK(world.fleet().plan("edge-1").size() == 1);
    world.run_all(successor);
    CHECK(copies(world, "job").starts_with(successor + " running"));
    CHECK(world.fleet().plan("edge-1").empty());
}

TEST_CASE("of two copies that work nowhere one is kept once both nodes have said so", "[job_manager][loss]") {
    World world;
    const std::string successor = lose_first(world);
    const auto fails = [&world](const std::string& node) {
        const auto& copy = world.desired(node, "worker");
        world.fleet().report(node, {world.seen(copy, agent::PlacementState::unhealthy)}, {}, true);
    };
    world.listener()->accepted(TargetId{"node-" + successor}, {}, {});
    fails("edge-1");
    world.fleet().set(three());
    fails(successor);
    world.settle();
    CHECK(world.fleet().plan("edge-1").size() + world.fleet().plan(successor).size() == 2);

    world.fleet().accept(successor);
    world.settle();

    CHECK(world.fleet().plan("edge-1").size() + world.fleet().plan(successor).size() == 1);
}

TEST_CASE("a controller restart in the middle of a move finishes it", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 1Gi"));
    world.fleet().set(three(NodeState::lost));
    world.settle();
    const std::string successor = where(world);

    world.reboot();
    CHECK(world.fleet().plan("edge-1").size() == 1);
    CHECK(world.fleet().plan(successor).size() == 1);
    world.run_all(successor);

    CHECK(copies(world, "job") == successor + " running, edge-1 removing");
}

TEST_CASE("keep and exclusive stay where they are when the node is lost", "[job_manager][loss]") {
    const std::string rule = GENERATE("keep", "exclusive");
    World world;
    run_on_first(world, "job", with_rule(worker("job", "memory: 1Gi"), rule));

    world.fleet().set(three(NodeState::lost));
    world.run_time().advance(std::chrono::hours(1));

    CHECK(copies(world, "job") == "edge-1 unreachable");
    CHECK(where(world).empty());
}

TEST_CASE(
    "peers 4: what runs at most once moves when its agent has ended it for certain", "[job_manager][loss]"
) {
    World world;
    run_on_first(world, "job", with_rule(worker("job", "memory: 1Gi"), "exclusive"));
    CHECK(world.desired("edge-1", "worker").exclusive);
    auto nodes = three(NodeState::lost);
    nodes[0].keeps_lease = true;

    world.fleet().set(nodes);
    world.run_time().advance(std::chrono::seconds(14));
    CHECK(where(world).empty());
    world.run_time().advance(std::chrono::seconds(3));
    const std::string successor = where(world);
    REQUIRE_FALSE(successor.empty());
    CHECK(
        world.event("placement.moved", "job/worker").message ==
        "edge-1 -> " + successor + ", cause: node lost"
    );
    CHECK(world.fleet().plan("edge-1").empty());
    world.run_all(successor);
    CHECK(copies(world, "job") == successor + " running, edge-1 removing");
}

TEST_CASE("a controller that starts grants a lost node's lease in full first", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", with_rule(worker("job", "memory: 1Gi"), "exclusive"));
    auto nodes = three(NodeState::lost);
    nodes[0].keeps_lease = true;
    world.fleet().set(nodes);
    world.reboot();
    world.run_time().advance(std::chrono::seconds(43));
    CHECK(where(world).empty());
    world.run_time().advance(std::chrono::seconds(4));
    CHECK_FALSE(where(world).empty());
}

TEST_CASE("a component with a volume stays on its lost node without being told to", "[job_manager][loss]") {
    World world;
    const std::string text = descriptor_text(
        "db",
        component_text("db"),
        "  - name: db\n    manifest:\n      services:\n        db:\n          image: demo/db:1\n"
        "          volumes: [\"data:/data\"]\n      volumes: {data: {}}\n"
    );
    run_on_first(world, "db", text);
    world.fleet().set(three(NodeState::lost));
    world.run_time().advance(std::chrono::hours(1));
    CHECK(copies(world, "db") == "edge-1 unreachable");
}

TEST_CASE(
    "a confirmed loss moves what runs at most once, and leaves data where it is", "[job_manager][loss]"
) {
    const std::string rule = GENERATE("exclusive", "keep");
    World world;
    run_on_first(world, "job", with_rule(worker("job", "memory: 1Gi"), rule));
    auto nodes = three(NodeState::lost);
    nodes[0].confirmed_lost = true;

    world.fleet().set(nodes);
    world.settle();

    if (rule == "keep") {
        CHECK(copies(world, "job") == "edge-1 unreachable");
    } else {
        const std::string successor = where(world);
        REQUIRE_FALSE(successor.empty());
        CHECK(world.fleet().plan("edge-1").empty());
        world.run_all(successor);
        CHECK(copies(world, "job") == successor + " running, edge-1 removing");
    }
}

TEST_CASE("many nodes lost at once move nothing until most are back", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 1Gi"));

    world.fleet().set(three(NodeState::lost, NodeState::suspect));
    world.settle();
    CHECK(copies(world, "job") == "edge-1 unreachable");
    world.fleet().set(three(NodeState::lost, NodeState::lost));
    world.run_time().advance(std::chrono::minutes(9));
    CHECK(copies(world, "job") == "edge-1 unreachable");

    CHECK(world.happened("moves.held nodes"));

    SECTION("they return: nothing was touched") {
        world.fleet().set(three());
        world.settle();
        CHECK(copies(world, "job") == "edge-1 running");
        CHECK(world.happened("moves.resumed nodes"));
    }
    SECTION("after ten minutes one node a minute is given up, with no other prompting") {
        world.run_time().advance(std::chrono::minutes(3));
        CHECK(where(world) == "edge-3");
    }
}

TEST_CASE("a drained node's work moves without a gap", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 1Gi"));

    world.fleet().set(draining_first());
    world.settle();
    const std::string successor = where(world);
    REQUIRE_FALSE(successor.empty());
    CHECK(world.fleet().plan("edge-1").size() == 1);
    CHECK(copies(world, "job").find("edge-1 running") != std::string::npos);
    world.run_all(successor);
    CHECK(world.fleet().plan("edge-1").empty());
    world.run_all("edge-1");
    CHECK(copies(world, "job") == successor + " running");
    CHECK(world.state("job") == "running");
}

TEST_CASE("a drain stops an exclusive component before its new copy is placed", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", with_rule(worker("job", "memory: 1Gi"), "exclusive"));
    CHECK(world.desired("edge-1", "worker").update_order == "stop-first");

    world.fleet().set(draining_first());
    world.settle();
    CHECK(world.fleet().plan("edge-1").empty());
    CHECK(where(world).empty());
    world.run_time().advance(std::chrono::minutes(5));
    CHECK(where(world).empty());

    world.run_all("edge-1");
    const std::string successor = where(world);
    REQUIRE_FALSE(successor.empty());
    world.run_all(successor);
    CHECK(copies(world, "job") == successor + " running");
}

TEST_CASE("a drain moves nothing that fits nowhere, and what runs keeps running", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 5Gi"));
    fill_the_others(world);

    world.fleet().set(draining_first());
    world.settle();

    CHECK(copies(world, "job") == "edge-1 running");
    CHECK(world.state("job") == "running");
}

TEST_CASE("a drain that finds no room says so where the component is shown", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 5Gi"));
    fill_the_others(world);

    world.fleet().set(draining_first());
    world.settle();

    const auto placement = world.get("/api/v1/placements?app=job").at("items").at(0);
    CHECK(placement.at("reason").as_string() == "stays on edge-1: no node fits (3 considered)");
}

TEST_CASE("while a node is drained each of its placements says whether it moves", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 5Gi"));
    run_on_first(world, "small", worker("small", "memory: 1Gi"));
    run_on_first(world, "data", with_rule(worker("data", "memory: 1Gi"), "keep"));
    fill_the_others(world);
    const auto drain = [&world](const std::string& app) {
        const auto items = world.get("/api/v1/placements?project=*&node=edge-1&app=" + app).at("items");
        const auto& placement = items.as_array().at(0).as_object();
        return placement.contains("drain") ? std::string(placement.at("drain").as_string()) : "-";
    };
    CHECK(drain("job") == "-");

    world.fleet().set(draining_first());
    world.settle();

    CHECK(drain("job") == "stays: no node fits (3 considered)");
    CHECK(drain("small") == "moves");
    CHECK(drain("data") == "stays: what it keeps is on the node (onNodeLoss: keep)");
    world.send(http::Method::post, "/api/v1/apps/job/stop");
    CHECK(drain("job") == "stays: the application is stopped");
}

TEST_CASE("a drain that is called off keeps the copy that runs", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 1Gi"));
    world.fleet().set(draining_first());
    world.settle();
    const std::string successor = where(world);
    REQUIRE_FALSE(successor.empty());

    world.fleet().set(three());
    world.settle();
    world.run_all(successor);

    CHECK(copies(world, "job") == "edge-1 running");
}

TEST_CASE("what works nowhere keeps no other component from moving", "[job_manager][loss]") {
    World world;
    run_on_first(world, "hello", hello());
    const auto report = [&world](const std::string& node) {
        world.fleet().accept(node);
        world.fleet().report(
            node,
            {world.seen(world.desired(node, "web")),
             world.seen(world.desired(node, "api"), agent::PlacementState::failed)},
            {},
            true
        );
        world.settle();
    };
    report("edge-1");
    auto nodes = draining_first();
    nodes[2].cordoned = true;
    world.fleet().set(nodes);
    world.settle();
    const std::string successor = where(world);
    REQUIRE(successor == "edge-2");
    CHECK(world.fleet().plan("edge-1").size() == 2);

    report(successor);

    CHECK(world.fleet().plan("edge-1").size() == 1);
    CHECK(world.desired("edge-1", "api").component == "api");
    // The reason to move is gone: it is kept where it was.
    world.fleet().set(three());
    world.settle();
    CHECK(world.fleet().plan("edge-1").size() == 1);
    CHECK(world.fleet().plan(successor).size() == 1);
    CHECK(world.desired(successor, "web").component == "web");
}

TEST_CASE("of several copies that were left one returns", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 1Gi"));
    const auto fail_on = [&world](const std::string& node) {
        world.fleet().accept(node);
        const auto& placement = world.desired(node, "worker");
        world.fleet().report(node, {world.seen(placement, agent::PlacementState::failed)}, {}, true);
        world.settle();
    };
    fail_on("edge-1");
    auto nodes = draining_first();
    nodes[2].cordoned = true;
    world.fleet().set(nodes);
    world.settle();
    fail_on("edge-2");
    nodes[1].cordoned = nodes[1].draining = true;
    nodes[2].cordoned = false;
    world.fleet().set(nodes);
    world.settle();
    CHECK(world.fleet().plan("edge-1").size() + world.fleet().plan("edge-2").size() == 2);
    fail_on("edge-3");

    world.fleet().set(three());
    world.settle();
    for (const char* node : {"edge-1", "edge-2", "edge-3"}) {
        if (!world.fleet().plan(node).empty()) fail_on(node);
    }

    const auto wanted = [&world](const std::string& node) { return world.fleet().plan(node).size(); };
    CHECK(wanted("edge-1") + wanted("edge-2") + wanted("edge-3") == 1);
}

TEST_CASE("an application that is stopped amid a move keeps one copy", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", worker("job", "memory: 1Gi"));
    world.fleet().set(draining_first());
    world.settle();
    const std::string successor = where(world);
    REQUIRE_FALSE(successor.empty());
    CHECK(world.fleet().plan("edge-1").size() == 1);

    world.send(http::Method::post, "/api/v1/apps/job/stop");
    world.settle();
    const auto& left = world.desired("edge-1", "worker");
    world.fleet().report("edge-1", {world.seen(left, agent::PlacementState::stopped)});
    world.settle();

    CHECK(world.fleet().plan("edge-1").empty());
    CHECK(world.fleet().plan(successor).size() == 1);
}

TEST_CASE("components that left a node together return together", "[job_manager][loss]") {
    World world;
    run_on_first(world, "hello", hello());
    auto nodes = three(NodeState::lost);
    nodes[2].cordoned = true;
    world.fleet().set(nodes);
    world.settle();
    REQUIRE(world.fleet().plan("edge-2").size() == 2);
    world.fleet().accept("edge-2");
    world.fleet().report("edge-2", {world.seen(world.desired("edge-2", "web"))}, {}, true);
    world.settle();

    world.fleet().set(three());
    world.settle();

    CHECK(world.fleet().plan("edge-1").size() == 2);
    CHECK(world.fleet().plan("edge-2").empty());
}

TEST_CASE("an apply just after a confirmed node came back starts no second copy", "[job_manager][loss]") {
    World world;
    run_on_first(world, "job", with_rule(worker("job", "memory: 1Gi"), "exclusive"));
    auto nodes = three(NodeState::lost);
    nodes[0].confirmed_lost = true;
    nodes[1].cordoned = true;
    nodes[2].cordoned = true;
    world.fleet().set(nodes);
    world.settle();
    REQUIRE(copies(world, "job") == "edge-1 unreachable");

    // It is back, and the change is planned before anything else looked at that.
    world.fleet().set(three());
    world.apply("job", with_rule(worker("job", "memory: 1Gi", "demo/worker:2"), "exclusive"));

    CHECK(where(world).empty());
    CHECK(world.desired("edge-1", "worker").generation == 2);
}
