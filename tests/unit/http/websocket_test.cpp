// SPDX-License-Identifier: Apache-2.0
#include "http_world.hpp"
#include "icos/async/signal.hpp"
#include "icos/link/session.hpp"

#include <catch2/catch.hpp>

namespace icos::http::test {
namespace {

Task<> echo(Request request, std::unique_ptr<FrameStream> frames) {
    const std::string hello(request.param("name"));
    auto greeted = co_await frames->write("hello " + hello);
    if (greeted.has_error()) co_return;
    while (true) {
        auto frame = co_await frames->read();
        if (frame.has_error()) break;
        if (*frame == "bye") break;
        auto written = co_await frames->write(std::move(*frame));
        if (written.has_error()) break;
    }
}

struct Closed {
    bool is_closed = false;
    boost::system::error_code code;
};

Task<> wait_for_end(std::unique_ptr<FrameStream> frames, Closed* closed) {
    auto frame = co_await frames->read();
    if (frame.has_error()) closed->code = frame.error().code;
    closed->is_closed = true;
}

Task<Result<void>> refuse_bob(const Request* request) {
    if (request->param("name") == "bob") co_return Error{icos::errc::busy, "bob is busy", "later"};
    co_return Result<void>();
}

void add_echo(HttpWorld& world, Access access = Access::open) {
    SocketRoute route;
    route.pattern = "/echo/{name}";
    route.access = access;
    route.check = [](const Request& request) { return refuse_bob(&request); };
    route.handler = echo;
    world.router.add(std::move(route));
}

Task<> talk(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    auto frames = co_await client.websocket("/echo/alice", {}, Duration(5000));
    REQUIRE(frames.has_value());
    auto greeting = co_await (*frames)->read();
    CHECK(greeting.value() == "hello alice");
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{125}, std::size_t{16384}, std::size_t{900'000}}) {
        const std::string sent(size, 'x');
        auto written = co_await (*frames)->write(sent);
        REQUIRE(written.has_value());
        auto received = co_await (*frames)->read();
        REQUIRE(received.has_value());
        CHECK(*received == sent);
    }
    co_await (*frames)->write("bye");
    auto end = co_await (*frames)->read();
    REQUIRE(end.has_error());
    CHECK(end.error().code == link::errc::closed);
}

Task<> be_refused(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    auto busy = co_await client.websocket("/echo/bob", {}, Duration(5000));
    REQUIRE(busy.has_error());
    CHECK(busy.error().code == icos::errc::busy);
    CHECK(busy.error().detail == "bob is busy");
    auto missing = co_await client.websocket("/nowhere", {}, Duration(5000));
    REQUIRE(missing.has_error());
    CHECK(missing.error().code == errc::no_route);
}

Task<> be_unknown(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    auto anonymous = co_await client.websocket("/echo/alice", {}, Duration(5000));
    REQUIRE(anonymous.has_error());
    CHECK(anonymous.error().code == auth_errc::required);
    Headers headers;
    headers["Authorization"] = "Bearer admin-token";
    auto known = co_await client.websocket("/echo/alice", std::move(headers), Duration(5000));
    CHECK(known.has_value());
}

Task<> close_from_client(HttpWorld* world, Closed* closed) {
    Client client(world->runtime, world->endpoint());
    auto frames = co_await client.websocket("/wait", {}, Duration(5000));
    REQUIRE(frames.has_value());
    (*frames)->close();
    (*frames)->close();
    auto written = co_await (*frames)->write("late");
    CHECK(written.error().code == link::errc::closed);
    co_await eventually(&world->runtime, [closed] { return closed->is_closed; });
    CHECK(closed->code == link::errc::closed);
}

Task<> stop_server(HttpWorld* world, Closed* closed) {
    Client client(world->runtime, world->endpoint());
    auto frames = co_await client.websocket("/wait", {}, Duration(5000));
    REQUIRE(frames.has_value());
    co_await eventually(&world->runtime, [world] {
        return world->server.metrics().find("icos_http_websockets_open 1\n") != std::string::npos;
    });
    co_await world->server.stop(Duration(2000));
    CHECK(closed->is_closed);
    auto end = co_await (*frames)->read();
    CHECK(end.error().code == link::errc::closed);
}

Task<> send_early(HttpWorld* world) {
    RawPeer peer(world->runtime, world->port());
    // A masked frame "hi" right behind the head, before the upgrade is answered.
    const std::string frame("\x82\x82\x00\x00\x00\x00hi", 8);
    peer.send(
        "GET /echo/alice HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" +
        frame
    );
    const std::string answer = co_await peer.read_until(std::string("\x82\x02hi", 4));
    CHECK(answer.starts_with("HTTP/1.1 101"));
    CHECK(answer.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos);
    CHECK(answer.find("hello alice") != std::string::npos);
}

Task<> send_too_much(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    auto frames = co_await client.websocket("/echo/alice", {}, Duration(5000));
    REQUIRE(frames.has_value());
    co_await (*frames)->read();
    co_await (*frames)->write(std::string((1U << 20U) + 1, 'x'));
    auto end = co_await (*frames)->read();
    CHECK(end.has_error());
}

}  // namespace

TEST_CASE("Messages of all sizes go both ways whole", "[http][websocket]") {
    HttpWorld world;
    add_echo(world);
    world.listen();

    world.run(talk(&world));
}

TEST_CASE("A refused upgrade is the server's error", "[http][websocket]") {
    HttpWorld world;
    add_echo(world);
    world.listen();

    world.run(be_refused(&world));
}

TEST_CASE("A WebSocket needs the role its route asks for", "[http][websocket]") {
    HttpWorld world;
    add_echo(world, Access::write);
    world.listen();

    world.run(be_unknown(&world));
}

TEST_CASE("A frame that came with the upgrade request is not lost", "[http][websocket]") {
    HttpWorld world;
    add_echo(world);
    world.listen();

    world.run(send_early(&world));
}

TEST_CASE("A message over the limit ends the connection", "[http][websocket]") {
    HttpWorld world;
    add_echo(world);
    world.listen();

    world.run(send_too_much(&world));
}

TEST_CASE("Closing one side ends the other", "[http][websocket]") {
    HttpWorld world;
    Closed closed;
    SocketRoute route;
    route.pattern = "/wait";
    route.access = Access::open;
    route.handler = [&closed](const Request&, std::unique_ptr<FrameStream> frames) {
        return wait_for_end(std::move(frames), &closed);
    };
    world.router.add(std::move(route));
    world.listen();

    SECTION("the client") {
        world.run(close_from_client(&world, &closed));
    }
    SECTION("the server, when it stops") {
        world.run(stop_server(&world, &closed));
    }
}

}  // namespace icos::http::test
