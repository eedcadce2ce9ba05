// SPDX-License-Identifier: Apache-2.0
// Listeners: where they are, what they refuse, how they end.
#include "relay_world.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <optional>

namespace icos::agent::test {
namespace {

Task<> listen_at(
    Relay* relay,
    RelayKey at,
    std::string address,
    std::uint16_t port,
    std::optional<Result<std::uint16_t>>* out
) {
    out->emplace(co_await relay->listen(std::move(at), std::move(address), port));
}

Result<std::uint16_t> listen(
    RelayWorld& world, const std::string& service, const std::string& address, std::uint16_t port
) {
    std::optional<Result<std::uint16_t>> out;
    world.run(listen_at(world.relay.get(), key(service), address, port, &out));
    return *out;
}

Task<> expect_answer(RelayWorld* world, std::uint16_t port, std::string expected) {
    const std::string answer = co_await ask(&world->runtime, port, "x");
    CHECK(answer == expected);
}

TEST_CASE("listening again for the same service keeps the port", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    CHECK(listen(world, "web", "127.0.0.1", 0).value() == port);
    CHECK(listen(world, "web", "127.0.0.1", port).value() == port);
    CHECK(world.relay->counters().listeners == 1);
    world.run(expect_answer(&world, port, "one:x"));
}

TEST_CASE("a service listens elsewhere when told so, and its targets stay", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    const std::uint16_t other = dead_target().port;
    CHECK(listen(world, "web", "127.0.0.1", other).value() == other);

    CHECK(world.relay->counters().listeners == 1);
    world.run(expect_answer(&world, other, "one:x"));
    world.run(expect_answer(&world, port, "<refused>"));
}

TEST_CASE("a port that is taken is refused, and the service listens where it did", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    const Result<std::uint16_t> refused = listen(world, "web", "127.0.0.1", one.target().port);

    REQUIRE(refused.has_error());
    CHECK(refused.error().code == relay_errc::port_taken);
    CHECK_FALSE(refused.error().hint.empty());
    world.run(expect_answer(&world, port, "one:x"));
}

TEST_CASE("an address that is not this node's is refused", "[relay]") {
    RelayWorld world;
    const std::string address = GENERATE("203.0.113.9", "2001:db8::9", "gateway", "");

    const Result<std::uint16_t> refused = listen(world, "web", address, 0);

    REQUIRE(refused.has_error());
    CHECK(stable_code(refused.error()) == "relay.no_address");
    CHECK(world.relay->counters().listeners == 0);
}

TEST_CASE("there are at most as many listeners as set", "[relay]") {
    RelaySettings settings;
    settings.max_listeners = 1;
    RelayWorld world(settings);
    const std::uint16_t port = world.listen();

    const Result<std::uint16_t> refused = listen(world, "other", "127.0.0.1", 0);
    REQUIRE(refused.has_error());
    CHECK(stable_code(refused.error()) == "relay.limit");
    CHECK(listen(world, "web", "127.0.0.1", 0).value() == port);

    world.relay->close(key());
    CHECK(listen(world, "other", "127.0.0.1", 0).has_value());
}

Task<> close_under_connections(RelayWorld* world, std::uint16_t port) {
    Peer open(world->runtime, port);
    co_await open.send("x\n");
    co_await open.line();
    world->set_targets({dead_target()});
    Peer held(world->runtime, port);
    co_await held.send("x\n");
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connect_failures > 0; });

    world->relay->close(key());

    const std::string end_of_open = co_await open.line();
    CHECK(end_of_open == "<reset>");
    const std::string end_of_held = co_await held.line();
    CHECK(end_of_held == "<reset>");
    const std::string of_new = co_await ask(&world->runtime, port, "x");
    CHECK(of_new == "<refused>");
}

TEST_CASE("closing a service ends its connections, open and held, and its listener", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    Provider other(world, "other");
    const std::uint16_t port = world.listen();
    const std::uint16_t other_port = world.listen("other");
    world.set_targets({one.target()});
    world.set_targets({other.target()}, "other");

    world.run(close_under_connections(&world, port));

    CHECK(world.relay->counters().listeners == 1);
    CHECK(world.relay->counters().connections == 0);
    world.run(expect_answer(&world, other_port, "other:x"));
    world.relay->close(key());
}

Task<> open_some(RelayWorld* world, std::uint16_t port, std::vector<std::unique_ptr<Peer>>* clients) {
    for (int i = 0; i < 20; ++i) {
        clients->push_back(std::make_unique<Peer>(world->runtime, port));
        co_await clients->back()->send("x\n");
        co_await clients->back()->line();
    }
    world->set_targets({dead_target(), {"localhost", 9}});
    for (int i = 0; i < 20; ++i) clients->push_back(std::make_unique<Peer>(world->runtime, port));
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 40; });
}

Task<> expect_reset(std::vector<std::unique_ptr<Peer>>* clients) {
    for (const auto& client : *clients) {
        const std::string end = co_await client->line();
        CHECK(end == "<reset>");
    }
}

TEST_CASE("a relay that goes ends everything it has", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});
    std::vector<std::unique_ptr<Peer>> clients;
    world.run(open_some(&world, port, &clients));

    SECTION("while the program goes on") {
        world.relay.reset();
        world.run(expect_reset(&clients));
        world.run(expect_answer(&world, port, "<refused>"));
    }
    SECTION("as the program ends") {
        world.relay.reset();
    }
}

}  // namespace
}  // namespace icos::agent::test
