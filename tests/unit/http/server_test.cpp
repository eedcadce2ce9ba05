// SPDX-License-Identifier: Apache-2.0
#include "http_world.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

namespace icos::http::test {
namespace {

namespace json = boost::json;

Task<Result<Response>> answer_caller(Request request) {
    json::object body;
    body["subject"] = request.caller.subject;
    body["role"] = static_cast<int>(request.caller.role);
    body["remote"] = request.remote;
    body["request_id"] = request.request_id;
    co_return Response::json(json::serialize(body));
}

std::string unzip(const std::string& packed) {
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
    std::string out(1U << 20U, '\0');
    std::string in = packed;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

/// What a killed server leaves behind.
void leave_socket_file(const std::string& path) {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    ::close(socket);
}

Task<> call_twice(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    const ClientResponse first = co_await get(&client, "/hello");
    const ClientResponse second = co_await get(&client, "/hello");
    CHECK(first.status == 200);
    CHECK(first.body == "hello");
    CHECK(first.headers.at("X-Request-Id") != second.headers.at("X-Request-Id"));
    // Counted once the answer is written, which the client may see first.
    co_await eventually(&world->runtime, [world] {
        return world->server.metrics().find("icos_http_requests_total{class=\"2xx\"} 2\n") !=
               std::string::npos;
    });
}

Task<> pipeline(HttpWorld* world) {
    RawPeer peer(world->runtime, world->port());
    peer.send(
        "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    );
    const std::string text = co_await peer.read_all();
    const std::size_t first = text.find("\r\n\r\nhello");
    const std::size_t second = text.find("\r\n\r\nabc");
    const std::size_t third = text.find("\r\n\r\nhello", first + 1);
    CHECK(first < second);
    CHECK(second < third);
    CHECK(third != std::string::npos);
}

Task<> ask_head(HttpWorld* world) {
    RawPeer peer(world->runtime, world->port());
    peer.send("HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string text = co_await peer.read_all();
    CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(text.find("Content-Length: 5\r\n") != std::string::npos);
    CHECK(text.ends_with("\r\n\r\n"));
}

Task<> ask_http_1_0(HttpWorld* world) {
    RawPeer peer(world->runtime, world->port());
    peer.send("GET /hello HTTP/1.0\r\n\r\n");
    const std::string text = co_await peer.read_all();
    CHECK(text.find("Connection: close\r\n") != std::string::npos);
    CHECK(text.ends_with("hello"));
}

Task<> ask_for_gzip(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    const ClientResponse packed = co_await get(&client, "/long", {{"Accept-Encoding", "gzip"}});
    const ClientResponse plain = co_await get(&client, "/long");
    const ClientResponse small = co_await get(&client, "/hello", {{"Accept-Encoding", "gzip"}});
    REQUIRE(packed.headers.contains("Content-Encoding"));
    CHECK(packed.headers.at("Vary") == "Accept-Encoding");
    CHECK(packed.body.size() < plain.body.size());
    CHECK(unzip(packed.body) == plain.body);
    CHECK_FALSE(plain.headers.contains("Content-Encoding"));
    CHECK_FALSE(small.headers.contains("Content-Encoding"));
}

Task<> check_request_ids(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    const ClientResponse taken = co_await get(&client, "/hello", {{"X-Request-Id", "my-id.7"}});
    const ClientResponse refused = co_await get(&client, "/hello", {{"X-Request-Id", "not an id"}});
    const ClientResponse missing = co_await get(&client, "/nowhere");
    CHECK(taken.headers.at("X-Request-Id") == "my-id.7");
    CHECK(refused.headers.at("X-Request-Id") != "not an id");
    const json::object body = json::parse(missing.body).as_object();
    CHECK(missing.status == 404);
    CHECK(body.at("request_id").as_string() == missing.headers.at("X-Request-Id"));
}

Task<> check_tokens(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    const ClientResponse anonymous = co_await get(&client, "/read");
    const ClientResponse wrong = co_await get(&client, "/read", {{"Authorization", "Bearer nonsense"}});
    const ClientResponse basic = co_await get(&client, "/read", {{"Authorization", "Basic YTpi"}});
    const ClientResponse reader = co_await get(&client, "/read", {{"Authorization", "bearer reader-token"}});
    const ClientResponse limited =
        co_await get(&client, "/admin", {{"Authorization", "Bearer reader-token"}});
    const ClientResponse admin = co_await get(&client, "/admin", {{"Authorization", "Bearer admin-token"}});
    const ClientResponse agent = co_await get(&client, "/agent", {{"Authorization", "Bearer admin-token"}});
    const ClientResponse open = co_await get(&client, "/hello", {{"Authorization", "Bearer nonsense"}});
    CHECK(anonymous.status == 401);
    CHECK(anonymous.headers.at("WWW-Authenticate") == "Bearer");
    CHECK(error_from(anonymous).code == auth_errc::required);
    CHECK(wrong.status == 401);
    CHECK(error_from(wrong).code == auth_errc::bad_token);
    CHECK(error_from(basic).code == auth_errc::bad_token);
    CHECK(reader.status == 200);
    CHECK(limited.status == 403);
    CHECK(admin.status == 200);
    CHECK(json::parse(admin.body).at("subject") == "token:admin-token");
    CHECK(agent.status == 403);
    CHECK(open.status == 200);
}

Task<> check_peer_credentials(HttpWorld* world, std::size_t listener) {
    Client client(world->runtime, world->endpoint(listener));
    const ClientResponse response = co_await get(&client, "/admin");
    const json::object body = json::parse(response.body).as_object();
    CHECK(response.status == 200);
    CHECK(body.at("remote") == "unix");
    const std::string expected = ::getuid() == 0 ? "local:root" : "local:" + std::to_string(::getuid());
    CHECK(body.at("subject").as_string() == expected);
}

Task<> check_methods(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    ClientRequest request;
    request.method = Method::put;
    request.target = "/hello";
    request.body = "x";
    const auto response = co_await client.send(std::move(request), Duration(5000));
    REQUIRE(response.has_value());
    CHECK(response->status == 405);
    CHECK(response->headers.at("Allow") == "GET, HEAD");
}

Task<> stop_while_running(HttpWorld* world, bool* has_begun) {
    RawPeer peer(world->runtime, world->port());
    peer.send("GET /forever HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await eventually(&world->runtime, [has_begun] { return *has_begun; });
    co_await world->server.stop(Duration(50));
    const std::string text = co_await peer.read_all();
    CHECK((text.empty() || text.starts_with("HTTP/1.1 503")));
}

Task<Result<Response>> run_forever(Runtime* runtime, bool* has_begun) {
    *has_begun = true;
    co_await sleep_for(*runtime, Duration(3'600'000));
    co_return Response::no_content();
}

}  // namespace

TEST_CASE("A connection serves one request after the other", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(call_twice(&world));

    CHECK(world.server.metrics().find("icos_http_connections_total 1\n") != std::string::npos);
}

TEST_CASE("Requests sent in one go are answered in order", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.route(Method::post, "/echo", Access::open, echo_handler());
    world.listen();

    world.run(pipeline(&world));
}

TEST_CASE("HEAD is GET without the body", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(ask_head(&world));
}

TEST_CASE("A client of HTTP/1.0 gets its answer and the end of the connection", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(ask_http_1_0(&world));
}

TEST_CASE("Long answers are compressed for who accepts it", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.route(Method::get, "/long", Access::open, text_handler(std::string(5000, 'x')));
    world.listen();

    world.run(ask_for_gzip(&world));
}

TEST_CASE("Every answer has a request id, the client's own if it is one", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(check_request_ids(&world));
}

TEST_CASE("On TCP everything but open routes needs a token", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.route(Method::get, "/read", Access::read, answer_caller);
    world.route(Method::get, "/admin", Access::admin, answer_caller);
    world.route(Method::get, "/agent", Access::agent, answer_caller);
    std::vector<std::string> refusals;
    world.server.on_refused([&refusals](const Request& request, const Error& error) {
        refusals.push_back(request.path + " " + request.caller.subject + " " + stable_code(error));
    });
    world.listen();

    world.run(check_tokens(&world));

    // Whoever keeps a record of it hears of each refusal for who the caller is, and of nothing else.
    const std::vector<std::string> expected{
        "/read anonymous auth.required",
        "/read anonymous auth.bad_token",
        "/read anonymous auth.bad_token",
        "/admin token:reader-token auth.forbidden",
        "/agent token:admin-token auth.forbidden",
    };
    CHECK(refusals == expected);
}

TEST_CASE("On the Unix socket the controller's own user is admin", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/admin", Access::admin, answer_caller);
    const std::size_t listener = world.listen(ListenerSpec::Kind::unix_socket);

    world.run(check_peer_credentials(&world, listener));
}

TEST_CASE("A method that a path does not take is 405", "[http][server]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(check_methods(&world));
}

TEST_CASE("An address in use says what to change", "[http][server]") {
    HttpWorld world;
    world.listen();
    ListenerSpec spec;
    spec.address = "127.0.0.1";
    spec.port = world.port();

    const auto second = world.server.listen(spec);

    REQUIRE(second.has_error());
    CHECK(second.error().code == icos::errc::io);
    CHECK(second.error().hint.find("another") != std::string::npos);
}

TEST_CASE("A Unix socket's file is replaced only when nobody listens on it", "[http][server]") {
    const TempDir dir;
    ProductionRuntime runtime({});
    Router router;
    ListenerSpec spec;
    spec.kind = ListenerSpec::Kind::unix_socket;
    spec.address = dir.path("a.sock");
    leave_socket_file(spec.address);
    Server first(runtime, router, nullptr, {});
    Server second(runtime, router, nullptr, {});

    REQUIRE(first.listen(spec).has_value());
    struct stat info{};
    REQUIRE(::stat(spec.address.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0660U);

    const auto refused = second.listen(spec);
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == icos::errc::io);
    CHECK(::access(spec.address.c_str(), F_OK) == 0);
}

TEST_CASE("A file that is no socket is left alone", "[http][server]") {
    const TempDir dir;
    ProductionRuntime runtime({});
    Router router;
    ListenerSpec spec;
    spec.kind = ListenerSpec::Kind::unix_socket;
    spec.address = dir.path("precious");
    std::ofstream(spec.address) << "data";
    Server server(runtime, router, nullptr, {});

    CHECK(server.listen(spec).has_error());
    CHECK(std::filesystem::file_size(spec.address) == 4);
}

TEST_CASE("Stopping cancels what does not end by itself", "[http][server]") {
    HttpWorld world;
    bool has_begun = false;
    Runtime* runtime = &world.runtime;
    world.route(Method::get, "/forever", Access::open, [runtime, &has_begun](const Request&) {
        return run_forever(runtime, &has_begun);
    });
    world.listen();

    world.run(stop_while_running(&world, &has_begun));

    CHECK(world.server.metrics().find("icos_http_connections_open 0\n") != std::string::npos);
}

}  // namespace icos::http::test
