// SPDX-License-Identifier: Apache-2.0
#include "http_world.hpp"

#include <catch2/catch.hpp>

namespace icos::http::test {
namespace {

Task<> expect_answer(HttpWorld* world, std::string bytes, std::string start) {
    RawPeer peer(world->runtime, world->port());
    peer.send(bytes);
    const std::string text = co_await peer.read_all();
    INFO(text);
    CHECK(text.starts_with(start));
    CHECK(text.find("X-Request-Id: ") != std::string::npos);
    CHECK(text.find("application/problem+json") != std::string::npos);
}

Task<> expect_silent_end(HttpWorld* world, std::string bytes, std::string until) {
    RawPeer peer(world->runtime, world->port());
    peer.send(bytes);
    if (!until.empty()) co_await peer.read_until(until);
    const std::string rest = co_await peer.read_all();
    CHECK(rest.empty());
}

Task<> send_big_body(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    ClientRequest request;
    request.method = Method::post;
    request.target = "/echo";
    request.body = std::string(4U << 20U, 'x');
    const auto response = co_await client.send(std::move(request), Duration(5000));
    REQUIRE(response.has_value());
    CHECK(response->status == 413);
    CHECK(error_from(*response).code == errc::body_too_large);
}

Task<> expect_continue(HttpWorld* world) {
    RawPeer peer(world->runtime, world->port());
    peer.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: "
        "close\r\n\r\n"
    );
    const std::string first = co_await peer.read_until("\r\n\r\n");
    CHECK(first == "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("abc");
    const std::string second = co_await peer.read_all();
    CHECK(second.ends_with("\r\n\r\nabc"));
}

Task<> expect_refusal_before_body(HttpWorld* world) {
    RawPeer peer(world->runtime, world->port());
    peer.send("POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\nExpect: 100-continue\r\n\r\n");
    const std::string text = co_await peer.read_until("\r\n\r\n");
    CHECK(text.starts_with("HTTP/1.1 401"));
    CHECK(text.find("Connection: close\r\n") != std::string::npos);
}

Task<> exceed_connections(HttpWorld* world) {
    RawPeer first(world->runtime, world->port());
    first.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await first.read_until("hello");
    RawPeer second(world->runtime, world->port());
    const std::string text = co_await second.read_all();
    CHECK(text.starts_with("HTTP/1.1 503"));
    CHECK(text.find("http.too_many_connections") != std::string::npos);
    first.close();
    co_await eventually(&world->runtime, [world] {
        return world->server.metrics().find("icos_http_connections_open 0\n") != std::string::npos;
    });
    RawPeer third(world->runtime, world->port());
    third.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string served = co_await third.read_until("hello");
    CHECK(served.starts_with("HTTP/1.1 200"));
}

Limits short_times() {
    Limits limits;
    limits.header_time = Duration(100);
    limits.body_time = Duration(100);
    limits.idle_time = Duration(100);
    return limits;
}

}  // namespace

TEST_CASE("Header fields over the limit are 431", "[http][limits]") {
    Limits limits;
    limits.header_bytes = 1024;
    HttpWorld world(limits);
    world.listen();

    world.run(
        expect_answer(&world, "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x'), "HTTP/1.1 431")
    );
}

TEST_CASE("What is not HTTP is 400", "[http][limits]") {
    HttpWorld world;
    world.listen();

    world.run(expect_answer(
        &world, std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), "HTTP/1.1 400"
    ));
}

TEST_CASE("A body over the route's limit is 413, and the client reads that answer", "[http][limits]") {
    HttpWorld world;
    world.route(Method::post, "/echo", Access::open, echo_handler(), 1000);
    world.listen();

    world.run(send_big_body(&world));
}

TEST_CASE("A chunked body over the limit is 413", "[http][limits]") {
    HttpWorld world;
    world.route(Method::post, "/echo", Access::open, echo_handler(), 4);
    world.listen();

    world.run(expect_answer(
        &world,
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n",
        "HTTP/1.1 413"
    ));
}

TEST_CASE("A client that sends its header too slowly is cut with 408", "[http][limits]") {
    HttpWorld world(short_times());
    world.listen();

    world.run(expect_answer(&world, "GET / HTTP/1.1\r\nHost:", "HTTP/1.1 408"));
}

TEST_CASE("A client that sends its body too slowly is cut with 408", "[http][limits]") {
    HttpWorld world(short_times());
    world.route(Method::post, "/echo", Access::open, echo_handler());
    world.listen();

    world.run(expect_answer(
        &world, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 408"
    ));
}

TEST_CASE("A connection that says nothing ends without an answer", "[http][limits]") {
    HttpWorld world(short_times());
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(expect_silent_end(&world, "", ""));
    world.run(expect_silent_end(&world, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "hello"));
}

TEST_CASE("Expect: 100-continue is answered before the body is sent", "[http][limits]") {
    HttpWorld world;
    world.route(Method::post, "/echo", Access::open, echo_handler());
    world.listen();

    world.run(expect_continue(&world));
}

TEST_CASE("A caller without the role is refused before the body is read", "[http][limits]") {
    HttpWorld world;
    world.route(Method::post, "/write", Access::write, echo_handler());
    world.listen();

    world.run(expect_refusal_before_body(&world));
}

TEST_CASE("Connections over the limit are told so, and room is given back", "[http][limits]") {
    Limits limits;
    limits.connections = 1;
    HttpWorld world(limits);
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(exceed_connections(&world));
}

}  // namespace icos::http::test
