// SPDX-License-Identifier: Apache-2.0
#include "http_world.hpp"
#include "icos/async/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include <array>
#include <vector>

namespace icos::http::test {
namespace {

namespace asio = boost::asio;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

/// A server that plays a script: for each connection, reads one request head and writes the scripted bytes.
class ScriptedServer {
public:
    explicit ScriptedServer(ProductionRuntime& runtime, std::vector<std::string> answers)
        : acceptor_(runtime.loop(), asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)),
          answers_(std::move(answers)) {}

    Endpoint endpoint() const {
        Endpoint endpoint;
        endpoint.host = "127.0.0.1";
        endpoint.port = acceptor_.local_endpoint().port();
        return endpoint;
    }

    /// `is_kept`: connections stay open after their answer.
    Task<> serve(bool is_kept) {
        std::vector<asio::ip::tcp::socket> kept;
        for (const std::string& answer : answers_) {
            asio::ip::tcp::socket socket(acceptor_.get_executor());
            auto [accept_error] = co_await acceptor_.async_accept(socket, kTuple);
            if (accept_error) co_return;
            std::string head;
            std::array<char, 1024> buffer{};
            while (head.find("\r\n\r\n") == std::string::npos) {
                auto [ec, bytes] = co_await socket.async_read_some(asio::buffer(buffer), kTuple);
                if (ec) co_return;
                head.append(buffer.data(), bytes);
            }
            heads.push_back(head);
            co_await asio::async_write(socket, asio::buffer(answer), kTuple);
            if (is_kept) kept.push_back(std::move(socket));
        }
        // Until the group that runs this is stopped.
        asio::ip::tcp::socket last(acceptor_.get_executor());
        co_await acceptor_.async_accept(last, kTuple);
    }

    /// One connection: a request head, then every byte comes back, then what came until its end.
    Task<> serve_raw() {
        asio::ip::tcp::socket socket(acceptor_.get_executor());
        co_await acceptor_.async_accept(socket, kTuple);
        std::string head;
        std::array<char, 1024> buffer{};
        while (head.find("\r\n\r\n") == std::string::npos) {
            auto [ec, bytes] = co_await socket.async_read_some(asio::buffer(buffer), kTuple);
            if (ec) co_return;
            head.append(buffer.data(), bytes);
        }
        co_await asio::async_write(socket, asio::buffer(answers_.at(0)), kTuple);
        while (true) {
            auto [ec, bytes] = co_await socket.async_read_some(asio::buffer(buffer), kTuple);
            if (ec) break;
            co_await asio::async_write(socket, asio::buffer(buffer, bytes), kTuple);
        }
        const std::string farewell = "end";
        co_await asio::async_write(socket, asio::buffer(farewell), kTuple);
    }

    std::vector<std::string> heads;

private:
    asio::ip::tcp::acceptor acceptor_;
    std::vector<std::string> answers_;
};

ClientRequest request_for(std::string target, Method method = Method::get) {
    ClientRequest request;
    request.method = method;
    request.target = std::move(target);
    return request;
}

Task<> send_to(
    ScriptedServer* server, ProductionRuntime* runtime, bool is_kept, Result<ClientResponse>* out
) {
    TaskGroup group(*runtime);
    group.spawn("server", server->serve(is_kept));
    Client client(*runtime, server->endpoint());
    *out = co_await client.send(request_for("/x"), Duration(300));
    co_await group.stop(Duration(1000));
}

Result<ClientResponse> answer_of(std::string bytes, bool is_kept = false) {
    HttpWorld world;
    ScriptedServer server(world.runtime, {std::move(bytes)});
    Result<ClientResponse> out = Error{icos::errc::internal, "not run"};
    world.run(send_to(&server, &world.runtime, is_kept, &out));
    return out;
}

Task<> send_after_death(ScriptedServer* server, ProductionRuntime* runtime) {
    TaskGroup group(*runtime);
    group.spawn("server", server->serve(false));
    Client client(*runtime, server->endpoint());
    const auto first = co_await client.send(request_for("/1"), Duration(2000));
    const auto second = co_await client.send(request_for("/2"), Duration(2000));
    REQUIRE(first.has_value());
    REQUIRE(second.has_value());
    CHECK(second->body == "b");
    CHECK(server->heads.size() == 2);
    co_await group.stop(Duration(1000));
}

Task<> hijack(ScriptedServer* server, ProductionRuntime* runtime) {
    TaskGroup group(*runtime);
    group.spawn("server", server->serve_raw());
    Client client(*runtime, server->endpoint());
    ClientRequest request = request_for("/exec/1/start", Method::post);
    request.headers["Connection"] = "Upgrade";
    request.headers["Upgrade"] = "tcp";
    request.body = "{}";
    auto stream = co_await client.stream(std::move(request), Duration(2000));
    REQUIRE(stream.has_value());
    auto early = co_await (*stream)->next();
    CHECK(early.value() == "early");
    auto written = co_await (*stream)->write("ping");
    CHECK(written.has_value());
    auto echoed = co_await (*stream)->next();
    CHECK(echoed.value() == "ping");
    CHECK((*stream)->shutdown_write().has_value());
    auto farewell = co_await (*stream)->next();
    CHECK(farewell.value() == "end");
    auto end = co_await (*stream)->next();
    REQUIRE(end.has_value());
    CHECK_FALSE(end->has_value());
    co_await group.stop(Duration(1000));
}

Task<> connect_nowhere(HttpWorld* world) {
    std::uint16_t free_port = 0;
    {
        const asio::ip::tcp::acceptor probe(
            world->runtime.loop(), asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)
        );
        free_port = probe.local_endpoint().port();
    }
    Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = free_port;
    Client refused(world->runtime, endpoint);
    const auto answer = co_await refused.send(request_for("/"), Duration(2000));
    REQUIRE(answer.has_error());
    CHECK(answer.error().code == errc::connect_failed);
    CHECK(answer.error().detail.find("127.0.0.1:" + std::to_string(free_port)) != std::string::npos);

    endpoint.kind = Endpoint::Kind::unix_socket;
    endpoint.host = world->dir.path("nobody.sock");
    Client missing(world->runtime, endpoint);
    const auto nobody = co_await missing.send(request_for("/"), Duration(2000));
    REQUIRE(nobody.has_error());
    CHECK(nobody.error().code == errc::connect_failed);
}

Task<> resolve_localhost(HttpWorld* world) {
    Endpoint endpoint = world->endpoint();
    endpoint.host = "localhost";
    Client client(world->runtime, endpoint);
    const ClientResponse response = co_await get(&client, "/hello");
    CHECK(response.body == "hello");
}

Task<> call_in_parallel(Client* client, int* open) {
    const ClientResponse response = co_await get(client, "/hello");
    CHECK(response.status == 200);
    --*open;
}

Task<> overload_pool(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    TaskGroup group(world->runtime);
    int open = 20;
    for (int i = 0; i < 20; ++i) group.spawn("call", call_in_parallel(&client, &open));
    co_await eventually(&world->runtime, [&open] { return open == 0; });
    co_await eventually(&world->runtime, [world] {
        const std::string text = world->server.metrics();
        const std::size_t at = text.find("icos_http_connections_open ", text.find("connections_open gauge"));
        return std::stoi(text.substr(at + 27)) <= 8;
    });
    co_await group.stop(Duration(1000));
}

Task<> cancel_call(ScriptedServer* server, ProductionRuntime* runtime) {
    TaskGroup group(*runtime);
    group.spawn("server", server->serve(true));
    Client client(*runtime, server->endpoint());
    auto stream = co_await client.stream(request_for("/"), Duration(2000));
    REQUIRE(stream.has_value());
    auto first = co_await (*stream)->next();
    CHECK(first.value() == "a");
    (*stream)->close();
    auto closed = co_await (*stream)->next();
    REQUIRE(closed.has_error());
    CHECK(closed.error().code == errc::closed);
    co_await group.stop(Duration(1000));
}

}  // namespace

TEST_CASE("Bodies end by length, by chunks and by the connection's end", "[http][client]") {
    CHECK(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").value().body == "abc");
    CHECK(
        answer_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
            .value()
            .body == "abc"
    );
    CHECK(answer_of("HTTP/1.1 200 OK\r\n\r\nabc").value().body == "abc");
    CHECK(answer_of("HTTP/1.1 204 No Content\r\n\r\n").value().status == 204);
    CHECK(
        answer_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
            .value()
            .body == "a"
    );
}

TEST_CASE("An answer that breaks off is no answer", "[http][client]") {
    CHECK(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").error().code == errc::closed);
    CHECK(
        answer_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").error().code == errc::closed
    );
    CHECK(answer_of("HTTP/1.1 200").error().code == errc::closed);
    CHECK(answer_of("").error().code == errc::closed);
    CHECK(answer_of("SSH-2.0-OpenSSH_9.2\r\n\r\n").error().code == errc::bad_response);
}

TEST_CASE("A server that announces more than it may send gets no memory for it", "[http][client]") {
    const auto result = answer_of("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nabc");
    CHECK(result.error().code == errc::closed);
}

TEST_CASE("A server that does not answer costs no more than the deadline", "[http][client]") {
    CHECK(answer_of("", true).error().code == icos::errc::timed_out);
    CHECK(
        answer_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", true).error().code ==
        icos::errc::timed_out
    );
}

TEST_CASE("A kept connection that died is replaced without an error", "[http][client]") {
    HttpWorld world;
    ScriptedServer server(
        world.runtime,
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"}
    );

    world.run(send_after_death(&server, &world.runtime));
}

TEST_CASE(
    "An upgraded connection carries raw bytes both ways and ends one half at a time", "[http][client]"
) {
    HttpWorld world;
    const std::string head = GENERATE(
        std::string("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
                    "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
    );
    ScriptedServer server(world.runtime, {head + "early"});

    world.run(hijack(&server, &world.runtime));
}

TEST_CASE("Nobody listening is said with the address", "[http][client]") {
    HttpWorld world;

    world.run(connect_nowhere(&world));
}

TEST_CASE("Names are resolved off the loop", "[http][client]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(resolve_localhost(&world));
}

TEST_CASE("No more than eight idle connections are kept", "[http][client]") {
    HttpWorld world;
    world.route(Method::get, "/hello", Access::open, text_handler("hello"));
    world.listen();

    world.run(overload_pool(&world));
}

TEST_CASE("Closing a stream ends its reading", "[http][client]") {
    HttpWorld world;
    ScriptedServer server(world.runtime, {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"});

    world.run(cancel_call(&server, &world.runtime));
}

}  // namespace icos::http::test
