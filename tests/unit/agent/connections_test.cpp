// SPDX-License-Identifier: Apache-2.0
#include "agent_world.hpp"

#include <boost/json/array.hpp>
#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

DesiredPlacement consumer(std::vector<Endpoint> endpoints) {
    DesiredPlacement placement = make_placement("p1", "d1", {{"web"}});
    Connection connection;
    connection.name = "DB";
    connection.component = "db";
    connection.service = "db";
    connection.port = 5432;
    connection.is_first = true;
    connection.endpoints = std::move(endpoints);
    placement.connections = {connection};
    placement.settings_digest = settings_digest(placement.connections);
    return placement;
}

std::map<std::string, std::string> injected(const AgentWorld& world, const std::string& placement) {
    std::map<std::string, std::string> out;
    for (const auto& [id, container] : world.engine.all()) {
        if (container.state.labels.at("icos.eu/placement") != placement) continue;
        for (const auto& entry : container.body.at("Env").as_array()) {
            const std::string text(entry.as_string());
            if (text.starts_with("ICOS_SVC_"))
                out[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
        }
    }
    return out;
}

const FakeRelay::Listener& listener(const AgentWorld& world) {
    REQUIRE(world.relay.listeners.size() == 1);
    return world.relay.listeners.begin()->second;
}

}  // namespace

TEST_CASE("a component is told an address of its own node for what it talks to", "[agent][relay]") {
    AgentWorld world;
    world.start_agent();
    world.want({consumer({{PlacementId{"far"}, "10.0.0.2", 32768}})});
    REQUIRE(world.state_of("p1") == "running");
    CHECK(listener(world).address == "172.18.0.1");
    const std::string port = std::to_string(listener(world).port);
    CHECK(
        injected(world, "p1") ==
        std::map<std::string, std::string>{
            {"ICOS_SVC_DB_HOST", "172.18.0.1"}, {"ICOS_SVC_DB_PORT", port}, {"ICOS_SVC_DB_PORT_5432", port}
        }
    );
    CHECK(listener(world).targets == std::vector<RelayTarget>{{"10.0.0.2", 32768}});
}

TEST_CASE("a provider that moves changes where connections go, and restarts nobody", "[agent][relay]") {
    AgentWorld world;
    world.start_agent();
    world.want({consumer({{PlacementId{"far"}, "10.0.0.2", 32768}})});
    const auto before = world.running();
    const std::uint16_t port = listener(world).port;
    world.want({consumer({{PlacementId{"new"}, "10.0.0.3", 40000}})});
    CHECK(world.running() == before);
    CHECK(listener(world).port == port);
    CHECK(listener(world).targets == std::vector<RelayTarget>{{"10.0.0.3", 40000}});
}

TEST_CASE("the port stays the same over restarts of the agent and of the machine", "[agent][relay]") {
    AgentWorld world;
    world.start_agent();
    world.want({consumer({{PlacementId{"far"}, "10.0.0.2", 32768}})});
    const std::uint16_t port = listener(world).port;
    world.set_connected(false);
    world.relay.listeners.clear();
    SECTION("the agent") {
        world.restart_agent();
    }
    SECTION("the machine") {
        world.reboot();
        world.start_agent();
    }
    world.pass(Duration(5'000));
    CHECK(listener(world).port == port);
    CHECK(listener(world).targets == std::vector<RelayTarget>{{"10.0.0.2", 32768}});
}

TEST_CASE("another port is taken before anybody was told, none afterwards", "[agent][relay]") {
    AgentWorld world;
    world.start_agent();
    world.want({consumer({})});
    const std::uint16_t first = listener(world).port;
    SECTION("told: it is said what is in the way") {
        world.relay.listeners.clear();
        world.relay.taken.insert(first);
        const auto before = world.running();
        world.restart_agent();
        world.pass(Duration(5'000));
        CHECK(world.running() == before);
        CHECK(world.state_of("p1") == "running");
        CHECK(world.seen("p1").reason_code == "relay.port_taken");
        world.relay.taken.clear();
        world.pass(Duration(15'000));
        CHECK(listener(world).port == first);
        CHECK(world.seen("p1").reason.empty());
    }
    SECTION("not told") {
        world.want({});
        CHECK(world.relay.listeners.empty());
        world.relay.taken.insert(first);
        world.want({consumer({})});
        CHECK(listener(world).port == first + 1);
    }
}

TEST_CASE("a provider on the same node is reached in its container, wherever that is now", "[agent][relay]") {
    AgentWorld world;
    world.start_agent();
    const DesiredPlacement db =
        make_placement("p2", "d2", {{"db", R"("image":"demo/web:1","restart":"always")"}});
    world.want({db, consumer({{PlacementId{"p2"}, "", 5432}})});
    REQUIRE(world.seen("p2").services.size() == 1);
    const std::string address = world.seen("p2").services[0].ip;
    CHECK(listener(world).targets == std::vector<RelayTarget>{{address, 5432}});

    DesiredPlacement updated = db;
    updated.digest = "d3";
    world.want({updated, consumer({{PlacementId{"p2"}, "", 5432}})}, Duration(10'000));
    REQUIRE(world.seen("p2").digest == "d3");
    CHECK(listener(world).targets == std::vector<RelayTarget>{{world.seen("p2").services[0].ip, 5432}});
}
