// SPDX-License-Identifier: Apache-2.0
#include "fleet/lease.hpp"

#include "fleet/node_service.hpp"
#include "fleet_world.hpp"

#include <catch2/catch.hpp>

namespace icos::fleet::test {

TEST_CASE("silence alone leads from ready to suspect to lost, and a frame back", "[fleet][lease]") {
    using enum NodeState;
    const LeaseTimes times;
    const Duration now{0};
    const Duration almost_suspect{9'999};
    const Duration suspicious{10'000};
    const Duration almost_lost{29'999};
    const Duration gone{30'000};
    struct Row {
        NodeState from;
        std::optional<Duration> silence;
        NodeState to;
    };
    const std::vector<Row> rows{
        {joining, std::nullopt, joining},
        {joining, now, ready},
        {joining, suspicious, joining},
        {joining, gone, joining},
        {ready, std::nullopt, ready},
        {ready, now, ready},
        {ready, almost_suspect, ready},
        {ready, suspicious, suspect},
        {ready, almost_lost, suspect},
        {ready, gone, lost},
        {suspect, std::nullopt, suspect},
        {suspect, now, ready},
        {suspect, suspicious, suspect},
        {suspect, almost_lost, suspect},
        {suspect, gone, lost},
        {lost, std::nullopt, lost},
        {lost, now, ready},
        {lost, suspicious, lost},
        {lost, gone, lost},
    };
    for (const Row& row : rows) {
        INFO(to_string(row.from) << " after " << (row.silence ? row.silence->count() : -1));
        CHECK(next_state(row.from, row.silence, times) == row.to);
    }
}

TEST_CASE("durations are told in the unit that people would use", "[fleet][lease]") {
    CHECK(for_people(Duration{10'000}) == "10 s");
    CHECK(for_people(Duration{90'000}) == "90 s");
    CHECK(for_people(std::chrono::minutes(11)) == "11 min");
    CHECK(for_people(std::chrono::hours(5)) == "5 h");
    CHECK(for_people(std::chrono::hours(24 * 3)) == "3 days");
}

TEST_CASE("a node is joining until its first hello, then ready", "[fleet][lease]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    CHECK(world.state_of("edge-1") == NodeState::joining);
    world.runtime.advance(std::chrono::minutes(5));
    CHECK(world.state_of("edge-1") == NodeState::joining);

    FakeAgent agent(world, "edge-1");
    CHECK(world.state_of("edge-1") == NodeState::joining);
    agent.say_hello();

    CHECK(world.state_of("edge-1") == NodeState::ready);
    CHECK(
        world.event_messages("node.ready") == std::vector<std::string>{"x86_64, 4 cores, 8.0Gi, docker 20.10"}
    );
}

TEST_CASE("an idle link keeps its node ready", "[fleet][lease]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    const std::uint64_t commits = world.store.commits();
    world.runtime.advance(std::chrono::minutes(30));

    CHECK(world.state_of("edge-1") == NodeState::ready);
    CHECK(world.event_messages("node.suspect").empty());
    CHECK(world.store.commits() == commits);  // heartbeats are memory only
    CHECK(world.node("edge-1")->round_trip.has_value());
}

TEST_CASE("a silent node is suspect, then lost, and says how long it was away", "[fleet][lease]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-2");
    std::optional<FakeAgent> agent(std::in_place, world, "edge-2");
    agent->say_hello();
    world.changes.clear();

    agent->go_silent();
    world.runtime.advance(Duration{9'000});
    CHECK(world.state_of("edge-2") == NodeState::ready);
    world.runtime.advance(Duration{7'000});
    CHECK(world.state_of("edge-2") == NodeState::suspect);
    CHECK(world.event_messages("node.suspect") == std::vector<std::string>{"no heartbeat for 10 s"});
    CHECK(world.event_messages("node.lost").empty());
    world.runtime.advance(Duration{20'000});
    CHECK(world.state_of("edge-2") == NodeState::lost);
    CHECK(world.event_messages("node.lost") == std::vector<std::string>{"lease expired"});
    REQUIRE(world.changes.size() == 2);
    CHECK(world.changes.at(0).state == NodeState::suspect);
    CHECK(world.changes.at(1).state == NodeState::lost);
    CHECK(world.changes.at(1).name == "edge-2");

    world.runtime.advance(std::chrono::minutes(10) + std::chrono::seconds(30));
    agent.emplace(world, "edge-2");
    agent->say_hello();
    CHECK(world.state_of("edge-2") == NodeState::ready);
    CHECK(world.event_messages("node.ready").back() == "back after 11 min");
}

TEST_CASE("a suspect node is ready again with its next frame", "[fleet][lease]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    agent.go_silent();
    world.runtime.advance(Duration{13'000});
    REQUIRE(world.state_of("edge-1") == NodeState::suspect);
    agent.middle->silent = false;
    agent.say(agent::encode(agent::FactsChanged{agent.hello.facts}));

    CHECK(world.state_of("edge-1") == NodeState::ready);
    CHECK(world.event_messages("node.ready").size() == 2);
    CHECK(world.event_messages("node.ready").back().find("back after 1") == 0);
}

TEST_CASE("a clock that jumps changes no lease", "[fleet][lease]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    world.runtime.set_wall(world.runtime.wall() + std::chrono::hours(24 * 365));
    world.runtime.advance(Duration{20'000});
    world.runtime.set_wall(WallTime{});
    world.runtime.advance(Duration{20'000});

    CHECK(world.state_of("edge-1") == NodeState::ready);
    CHECK(world.event_messages("node.suspect").empty());
}

TEST_CASE("many nodes that fall silent together are one write", "[fleet][lease]") {
    FleetWorld world;
    world.start();
    std::vector<std::unique_ptr<FakeAgent>> agents;
    for (int i = 0; i < 20; ++i) {
        const std::string name = "edge-" + std::to_string(i);
        world.join_node(name);
        agents.push_back(std::make_unique<FakeAgent>(world, name));
        agents.back()->say_hello();
    }
    world.runtime.advance(Duration{60'000});
    const std::uint64_t commits = world.store.commits();

    for (const auto& agent : agents) agent->go_silent();
    world.runtime.advance(Duration{60'000});

    CHECK(world.event_messages("node.lost").size() == 20);
    CHECK(world.store.commits() - commits <= 14);
    CHECK(world.metric("icos_fleet_nodes{state=\"lost\"}") == 20);
}

TEST_CASE("a pause of the controller counts against nobody", "[fleet][lease]") {
    icos::test::ManualRuntime runtime;
    icos::test::MemoryStore store(runtime);
    Bus bus(runtime);
    TaskGroup tasks(runtime);
    Journal journal(runtime, store, bus, tasks, [] {});
    const Settings settings;
    NodeService nodes(
        runtime, journal, settings, {[] {}, [](const NodeId&) {}, [](const NodeId&) { return ClaimSum{}; }}
    );
    NodeRecord record;
    record.id = NodeId{"n-1"};
    record.name = "edge-1";
    NodeEntry& entry = journal.state().add(std::move(record));
    nodes.said_hello(NodeId{"n-1"}, some_facts("edge-1"));
    nodes.check_leases();

    runtime.advance(std::chrono::minutes(20));  // nothing was read, nothing was looked at
    nodes.check_leases();
    CHECK(entry.life.state == NodeState::ready);

    for (int second = 0; second < 11; ++second) {
        runtime.advance(Duration{1000});
        nodes.check_leases();
    }
    CHECK(entry.life.state == NodeState::suspect);
}

TEST_CASE("a loss that could not be written is written once writing works again", "[fleet][lease]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    {
        FakeAgent agent(world, "edge-1");
        agent.say_hello();
    }
    world.store.failure = Error{store_errc::full, "the disk is full"};
    world.runtime.advance(Duration{12'000});

    CHECK(world.state_of("edge-1") == NodeState::suspect);
    CHECK(world.store.rows().at({"node", id.value}).body.find("\"state\":\"suspect\"") != std::string::npos);
    CHECK(world.event_messages("node.suspect") == std::vector<std::string>{"since before a write failed"});
}

TEST_CASE("while the disk stays full, lost leases are written ever more rarely", "[fleet][lease]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    std::optional<FakeAgent> agent(std::in_place, world, "edge-1");
    agent->say_hello();
    int failures = 0;
    const auto token = world.store.on_dropped([&failures] { ++failures; });
    agent->go_silent();
    world.store.failure = Error{store_errc::full, "the disk is full"};
    world.store.keeps_failing = true;
    world.runtime.advance(Duration{90'000});
    CHECK(world.state_of("edge-1") == NodeState::lost);
    CHECK(failures > 2);
    CHECK(failures < 60);

    world.store.failure.reset();
    world.runtime.advance(Duration{60'000});

    CHECK(world.event_messages("node.lost").size() == 1);
}

}  // namespace icos::fleet::test
