// SPDX-License-Identifier: Apache-2.0
// Which target a connection goes to, and what happens when none takes it.
#include "relay_world.hpp"

#include <catch2/catch.hpp>

#include <map>

namespace icos::agent::test {
namespace {

Task<> ask_times(RelayWorld* world, std::uint16_t port, int times, std::map<std::string, int>* answers) {
    for (int i = 0; i < times; ++i) {
        const std::string answer = co_await ask(&world->runtime, port, "x");
        ++(*answers)[answer];
    }
}

TEST_CASE("connections go to the targets in turn", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    Provider two(world, "two");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target(), two.target()});
    std::map<std::string, int> answers;

    world.run(ask_times(&world, port, 6, &answers));

    CHECK(answers == std::map<std::string, int>{{"one:x", 3}, {"two:x", 3}});
}

TEST_CASE("a target that does not take connections costs one attempt, not every second one", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({dead_target(), one.target()});
    std::map<std::string, int> answers;

    world.run(ask_times(&world, port, 20, &answers));

    CHECK(answers == std::map<std::string, int>{{"one:x", 20}});
    CHECK(world.relay->counters().connect_failures == 1);
}

Task<> ask_until_both(RelayWorld* world, std::uint16_t port, std::map<std::string, int>* answers) {
    while (!answers->contains("late:x")) {
        const std::string answer = co_await ask(&world->runtime, port, "x");
        ++(*answers)[answer];
    }
}

TEST_CASE("a target that was passed over is used again when it is back", "[relay]") {
    RelaySettings settings;
    settings.pass_over = Duration(20);
    RelayWorld world(settings);
    Provider one(world, "one");
    const RelayTarget absent = dead_target();
    const std::uint16_t port = world.listen();
    world.set_targets({absent, one.target()});
    std::map<std::string, int> answers;
    world.run(ask_times(&world, port, 1, &answers));
    CHECK(world.relay->counters().connect_failures == 1);

    const Provider late(world, "late", Provider::Manner::answer, absent);
    world.run(ask_until_both(&world, port, &answers));

    CHECK(answers["late:x"] == 1);
    CHECK(answers.size() == 2);
}

Task<> wait_for_listener(RelayWorld* world, std::uint16_t port, RelayTarget absent) {
    Peer client(world->runtime, port);
    co_await client.send("x\n");
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connect_failures >= 3; });
    const Provider late(*world, "late", Provider::Manner::answer, absent);
    const std::string answer = co_await client.line();
    CHECK(answer == "late:x");
}

TEST_CASE("a held client is served when its target begins to listen", "[relay]") {
    RelaySettings settings;
    settings.retry_pause = Duration(2);
    RelayWorld world(settings);
    const RelayTarget absent = dead_target();
    const std::uint16_t port = world.listen();
    world.set_targets({absent});

    world.run(wait_for_listener(&world, port, absent));

    CHECK(world.relay->counters().unserved == 0);
}

TEST_CASE("a client is given up on when no target answers in time, and counted", "[relay]") {
    RelaySettings settings;
    settings.patience = Duration(30);
    settings.retry_pause = Duration(5);
    RelayWorld world(settings);
    const std::uint16_t port = world.listen();
    world.set_targets(GENERATE(std::vector<RelayTarget>{}, std::vector<RelayTarget>{dead_target()}));
    std::map<std::string, int> answers;

    world.run(ask_times(&world, port, 1, &answers));

    CHECK(answers == std::map<std::string, int>{{"<reset>", 1}});
    CHECK(world.relay->counters().unserved == 1);
    CHECK(world.relay->counters().connections == 0);
}

Task<> wait_for_end(RelayWorld* world, std::uint16_t port, int* ended) {
    const std::string answer = co_await ask(&world->runtime, port, "x");
    CHECK(answer == "<reset>");
    ++*ended;
}

Task<> hold_many(RelayWorld* world, std::uint16_t port, int many) {
    int ended = 0;
    for (int i = 0; i < many; ++i) world->tasks.spawn("client", wait_for_end(world, port, &ended));
    co_await eventually(&world->runtime, [&ended, many] { return ended == many; });
}

TEST_CASE("many held clients together try a dead target once per pause", "[relay]") {
    RelaySettings settings;
    settings.patience = Duration(400);
    settings.retry_pause = Duration(10);
    RelayWorld world(settings);
    const std::uint16_t port = world.listen();
    world.set_targets({dead_target()});

    world.run(hold_many(&world, port, 100));

    const RelayCounters counters = world.relay->counters();
    CHECK(counters.unserved == 100);
    // At most one each before the first failure is known, then one per pause of 10 ms and more.
    CHECK(counters.connect_failures >= 3);
    CHECK(counters.connect_failures <= 100 + 40);
}

TEST_CASE("a target may be an IPv6 address or a name", "[relay]") {
    RelayWorld world;
    Provider one(world, "one", Provider::Manner::answer, {"::1", 0});
    Provider two(world, "two");
    const std::uint16_t port = world.listen();
    std::map<std::string, int> answers;

    world.set_targets({one.target()});
    world.run(ask_times(&world, port, 1, &answers));
    world.set_targets({{"localhost", two.target().port}});
    world.run(ask_times(&world, port, 2, &answers));

    CHECK(answers == std::map<std::string, int>{{"one:x", 1}, {"two:x", 2}});
}

TEST_CASE("a name that cannot be resolved is a target that fails", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({{"nowhere.invalid", 80}, one.target()});
    std::map<std::string, int> answers;

    world.run(ask_times(&world, port, 2, &answers));

    CHECK(answers == std::map<std::string, int>{{"one:x", 2}});
    CHECK(world.relay->counters().connect_failures == 1);
}

}  // namespace
}  // namespace icos::agent::test
