// SPDX-License-Identifier: Apache-2.0
// What happens when a provider moves.
#include "relay_world.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

namespace icos::agent::test {
namespace {

Task<> move_under_connection(RelayWorld* world, Provider* two, std::uint16_t port) {
    Peer old_client(world->runtime, port);
    co_await old_client.send("x\n");
    const std::string first = co_await old_client.line();
    CHECK(first == "one:x");

    world->set_targets({two->target()});

    const std::string of_new_client = co_await ask(&world->runtime, port, "y");
    CHECK(of_new_client == "two:y");
    co_await old_client.send("z\n");
    const std::string second = co_await old_client.line();
    CHECK(second == "one:z");
}

TEST_CASE("an open connection stays with the former target, a new one goes to the new target", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    Provider two(world, "two");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    world.run(move_under_connection(&world, &two, port));
}

Task<> wait_for_target(RelayWorld* world, Provider* one, std::uint16_t port, std::vector<RelayTarget> first) {
    if (!first.empty()) world->set_targets(first);
    Peer client(world->runtime, port);
    co_await client.send("early\n");
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 1; });
    world->set_targets({one->target()});
    const std::string answer = co_await client.line();
    CHECK(answer == "one:early");
}

TEST_CASE("a client that came before there was a target is served once there is one", "[relay]") {
    RelaySettings settings;
    settings.patience = Duration(25'000);
    // Later than the test may take: only news of the target can wake the client.
    settings.retry_pause = Duration(60'000);
    RelayWorld world(settings);
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    const std::vector<RelayTarget> first =
        GENERATE(std::vector<RelayTarget>{}, std::vector<RelayTarget>{dead_target()});

    world.run(wait_for_target(&world, &one, port, first));

    CHECK(world.relay->counters().unserved == 0);
    CHECK(world.relay->counters().bytes_in == std::string_view("early\n").size());
}

Task<> move_with_attempt_under_way(RelayWorld* world, Provider* one, std::uint16_t port) {
    Peer client(world->runtime, port);
    co_await client.send("x\n");
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 1; });
    // Far more than the attempt needs to begin.
    for (int turn = 0; turn < 100; ++turn)
        co_await boost::asio::post(world->runtime.loop(), boost::asio::use_awaitable);
    world->set_targets({one->target()});
    const std::string answer = co_await client.line();
    CHECK(answer == "one:x");
}

TEST_CASE("an attempt on a target that is no longer named is given up at once", "[relay]") {
    RelaySettings settings;
    settings.connect = Duration(60'000);
    RelayWorld world(settings);
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    // A backlog of one connection that is full: what comes now gets no answer.
    boost::asio::io_context context;
    Tcp::acceptor full(context);
    full.open(Tcp::v4());
    full.bind(Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    full.listen(0);
    Tcp::socket filler(context);
    filler.connect(full.local_endpoint());
    world.set_targets({{"127.0.0.1", full.local_endpoint().port()}});

    world.run(move_with_attempt_under_way(&world, &one, port));

    CHECK(world.relay->counters().connect_failures == 0);
}

Task<> ask_many(RelayWorld* world, std::uint16_t port, int times, int* answered) {
    for (int i = 0; i < times; ++i) {
        const std::string answer = co_await ask(&world->runtime, port, "x");
        *answered += answer == "old:x" || answer == "new:x";
    }
}

Task<> retarget_ten_times(RelayWorld* world, std::uint16_t port, int* asked, int* answered) {
    auto current = std::make_unique<Provider>(*world, "old");
    world->set_targets({current->target()});
    for (int round = 0; round < 10; ++round) {
        int here = 0;
        world->tasks.spawn("clients", ask_many(world, port, 20, &here));
        world->tasks.spawn("clients", ask_many(world, port, 20, &here));
        co_await eventually(&world->runtime, [&here] { return here >= 10; });
        // The new copy beside one that never took a connection; then the former one goes, once nobody talks
        // to it.
        auto next = std::make_unique<Provider>(*world, "new");
        world->set_targets({dead_target(), next->target()});
        current->stop_listening();
        co_await eventually(&world->runtime, [&here] { return here == 40; });
        current = std::move(next);
        *asked += 40;
        *answered += here;
    }
}

TEST_CASE("no request of a stream of requests fails while the provider moves ten times", "[relay]") {
    RelayWorld world;
    const std::uint16_t port = world.listen();
    int asked = 0;
    int answered = 0;

    world.run(retarget_ten_times(&world, port, &asked, &answered));

    CHECK(asked == 400);
    CHECK(answered == asked);
    CHECK(world.relay->counters().unserved == 0);
}

Task<> outstay(RelayWorld* world, std::uint16_t port) {
    Peer client(world->runtime, port);
    co_await client.send("x\n");
    co_await client.line();
    world->set_targets({});
    const std::string end = co_await client.line();
    CHECK(end == "<reset>");
}

TEST_CASE("a connection to a former target is cut when its time is up", "[relay]") {
    RelaySettings settings;
    settings.drain = Duration(20);
    RelayWorld world(settings);
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    world.run(outstay(&world, port));

    CHECK(world.relay->counters().cut == 1);
    CHECK(world.relay->counters().connections == 0);
}

Task<> come_back(RelayWorld* world, Provider* one, std::uint16_t port, std::uint16_t other_port) {
    Peer client(world->runtime, port);
    co_await client.send("x\n");
    co_await client.line();
    Peer other(world->runtime, other_port);
    co_await other.send("x\n");
    co_await other.line();

    world->set_targets({});
    world->set_targets({one->target()});
    world->set_targets({}, "other");
    // Cut later than the first would have been.
    const std::string end = co_await other.line();
    CHECK(end == "<reset>");

    co_await client.send("y\n");
    const std::string answer = co_await client.line();
    CHECK(answer == "one:y");
}

TEST_CASE("a connection stays when its target is named again in time", "[relay]") {
    RelaySettings settings;
    settings.drain = Duration(50);
    RelayWorld world(settings);
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    const std::uint16_t other_port = world.listen("other");
    world.set_targets({one.target()});
    world.set_targets({one.target()}, "other");

    world.run(come_back(&world, &one, port, other_port));

    CHECK(world.relay->counters().cut == 1);
}

}  // namespace
}  // namespace icos::agent::test
