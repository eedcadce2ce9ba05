// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

Node site(const std::string& name, const std::string& address) {
    Node node = ready_node(name);
    node.address = address;
    node.labels = {{"site", name}};
    return node;
}

/// `web` talks to `db`, which publishes 5432 at a port of the node's choice and only exposes 9000. Each is on
/// the site of its name.
std::string shop(const std::string& db_ports = "          ports: [\"5432\"]\n          expose: [9000]\n") {
    const auto joined = [](const std::string& name, const std::string& site, const std::string& direction) {
        return component_text(name, "nodelabel: {key: site, values: " + site + "}") +
               "    communication: [{" + direction + ": db}]\n";
    };
    return descriptor_text(
        "shop",
        joined("web", "a", "incoming") + joined("db", "b", "outgoing"),
        manifest_text("web", "demo/web:1") + manifest_text("db", "demo/db:1", db_ports)
    );
}

/// The node runs its plan; services of `db` are published at `port`.
void run_with_port(World& world, const std::string& node, const std::string& port) {
    world.fleet().accept(node);
    std::vector<agent::ObservedPlacement> all;
    for (const auto& [id, placement] : world.fleet().plan(node)) {
        agent::ObservedPlacement seen = world.seen(placement);
        agent::ObservedService service;
        service.service = placement.component;
        service.state = "running";
        if (placement.component == "db") service.ports = {"0.0.0.0:" + port + "->5432/tcp"};
        seen.services.push_back(service);
        all.push_back(std::move(seen));
    }
    world.fleet().report(node, std::move(all), {}, true);
    world.settle();
}

const agent::Connection& connection(World& world, const std::string& node, std::uint16_t port) {
    for (const agent::Connection& each : world.desired(node, "web").connections) {
        if (each.port == port) return each;
    }
    throw std::runtime_error("no connection to port " + std::to_string(port));
}

std::string endpoints(World& world, const std::string& node, std::uint16_t port = 5432) {
    std::string out;
    for (const agent::Endpoint& endpoint : connection(world, node, port).endpoints)
        out += (out.empty() ? "" : ", ") + endpoint.address + ":" + std::to_string(endpoint.port);
    return out;
}

}  // namespace

TEST_CASE(
    "components that talk may be on different nodes where the provider publishes a port",
    "[job_manager][relay]"
) {
    World world;
    world.fleet().set({site("a", "10.0.0.1"), site("b", "10.0.0.2")});
    const auto response = world.apply("shop", shop());
    INFO(response.body);
    REQUIRE(response.status == 201);
    CHECK(world.desired("a", "web").connections.size() == 2);
    CHECK(connection(world, "a", 5432).name == "DB");
    CHECK(connection(world, "a", 5432).is_first);
    CHECK(endpoints(world, "a").empty());
    CHECK(world.desired("b", "db").connections.empty());

    const std::string before = world.fleet().digest("a");
    run_with_port(world, "b", "32768");
    CHECK(endpoints(world, "a") == "10.0.0.2:32768");
    CHECK(world.fleet().digest("a") != before);

    SECTION("a port that is not published is a problem that is told") {
        CHECK(connection(world, "a", 9000).endpoints.empty());
        CHECK_THAT(
            connection(world, "a", 9000).problem, Catch::Contains("port 9000 of db/db on b is not published")
        );
    }
    SECTION("the content of the consumer stays the same: nothing of it is restarted") {
        const std::string digest = world.desired("a", "web").digest;
        run_with_port(world, "b", "40000");
        CHECK(endpoints(world, "a") == "10.0.0.2:40000");
        CHECK(world.desired("a", "web").digest == digest);
    }
    SECTION("losing sight of the provider cuts nobody off who reaches it") {
        auto lost = site("b", "10.0.0.2");
        lost.state = NodeState::lost;
        world.fleet().set({site("a", "10.0.0.1"), lost});
        world.settle();
        CHECK(endpoints(world, "a") == "10.0.0.2:32768");
    }
    SECTION("a controller restart changes nothing") {
        const std::string digest = world.fleet().digest("a");
        world.reboot();
        CHECK(world.fleet().digest("a") == digest);
    }
}

TEST_CASE("without a published port they stay together, or wait and say why", "[job_manager][relay]") {
    World world;
    world.fleet().set({site("a", "10.0.0.1"), site("b", "10.0.0.2")});
    REQUIRE(world.apply("shop", shop("          expose: [5432]\n")).status == 201);
    world.settle();
    CHECK(world.fleet().plan("a").empty());
    CHECK(world.fleet().plan("b").empty());
    CHECK(world.state("shop") == "pending");
    CHECK_THAT(
        json::serialize(world.get("/api/v1/apps/shop/explain?component=web")),
        Catch::Contains("communication")
    );
}

TEST_CASE("a provider on the consumer's node is reached in its container", "[job_manager][relay]") {
    World world;
    auto both = site("a", "10.0.0.1");
    world.fleet().set({both});
    std::string text = shop();
    text.replace(text.find("values: b"), 9, "values: a");
    REQUIRE(world.apply("shop", text).status == 201);
    run_with_port(world, "a", "32768");
    CHECK(endpoints(world, "a") == ":5432");
    CHECK(endpoints(world, "a", 9000) == ":9000");
}

TEST_CASE("a copy that was replaced stays until nobody connects to it any more", "[job_manager][relay]") {
    World world;
    auto other = site("c", "10.0.0.3");
    other.labels = {{"site", "b"}};
    world.fleet().set({site("a", "10.0.0.1"), site("b", "10.0.0.2")});
    REQUIRE(world.apply("shop", shop()).status == 201);
    run_with_port(world, "b", "32768");
    run_with_port(world, "a", "0");
    auto drained = site("b", "10.0.0.2");
    drained.cordoned = drained.draining = true;
    world.fleet().set({site("a", "10.0.0.1"), drained, other});
    world.settle();
    REQUIRE(world.fleet().plan("c").size() == 1);
    CHECK(endpoints(world, "a") == "10.0.0.2:32768");

    run_with_port(world, "c", "33333");
    CHECK(endpoints(world, "a") == "10.0.0.3:33333");
    world.run_time().advance(std::chrono::seconds(30));
    CHECK(world.fleet().plan("b").size() == 1);

    SECTION("ten seconds after the consumer's node took the new address") {
        world.fleet().accept("a");
        world.run_time().advance(std::chrono::seconds(9));
        CHECK(world.fleet().plan("b").size() == 1);
        world.run_time().advance(std::chrono::seconds(2));
        CHECK(world.fleet().plan("b").empty());
    }
    SECTION("a node that cannot be told keeps it for a minute, no longer") {
        world.run_time().advance(std::chrono::seconds(45));
        CHECK(world.fleet().plan("b").empty());
    }
    SECTION("a successor that fails meanwhile gives the connections back") {
        auto failed = world.seen(world.desired("c", "db"), agent::PlacementState::failed);
        world.fleet().report("c", {failed});
        world.settle();
        CHECK(endpoints(world, "a") == "10.0.0.2:32768");
    }
}
