// SPDX-License-Identifier: Apache-2.0
#include "http_world.hpp"
#include "test_certificates.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

namespace icos::http::test {
namespace {

namespace json = boost::json;

Task<Result<Response>> answer_peer(Request request) {
    json::object body;
    body["subject"] = request.caller.subject;
    if (request.caller.peer) {
        body["key_id"] = request.caller.peer->key_id;
        body["name"] = request.caller.peer->common_name;
        body["issued_by_us"] = request.caller.peer->issued_by_us;
        body["not_after"] = request.caller.peer->not_after_ms;
        body["spki_size"] = request.caller.peer->spki_der.size();
    }
    co_return Response::json(json::serialize(body));
}

Task<> echo_once(std::unique_ptr<FrameStream> frames) {
    auto frame = co_await frames->read();
    if (frame.has_value()) co_await frames->write(std::move(*frame));
    co_await frames->read();
}

/// The operator's certificate is self-signed; the agents' comes from an embedded CA and carries it in its
/// chain.
struct TlsWorld : HttpWorld {
    TlsWorld()
        : authority(make_identity({.common_name = "ICOS CA", .is_authority = true})),
          agents_server(
              make_identity({.common_name = "controller", .usage = "serverAuth", .issuer = &authority})
          ),
          operators_server(make_identity({.common_name = "operator"})) {
        route(Method::get, "/hello", Access::open, text_handler("hello"));
        route(Method::get, "/peer", Access::agent, answer_peer);
        route(Method::get, "/read", Access::read, text_handler("secret"));
        SocketRoute socket;
        socket.pattern = "/link";
        socket.access = Access::agent;
        socket.handler = [](const Request&, std::unique_ptr<FrameStream> frames) {
            return echo_once(std::move(frames));
        };
        router.add(std::move(socket));
        TlsMaterial material;
        material.operator_certificate = operators_server.certificate;
        material.operator_key = operators_server.key;
        material.agent_certificate = agents_server.certificate + authority.certificate;
        material.agent_key = agents_server.key;
        material.agent_ca = authority.certificate;
        server.use_tls(std::move(material)).value();
        listen(ListenerSpec::Kind::tls);
    }

    Endpoint tls_endpoint() const {
        Endpoint endpoint = HttpWorld::endpoint();
        endpoint.kind = Endpoint::Kind::tls;
        return endpoint;
    }
    Endpoint agent_endpoint(const TestIdentity& identity) const {
        Endpoint endpoint = tls_endpoint();
        endpoint.alpn = "icos-agent/1";
        endpoint.pin = authority.pin;
        endpoint.client_certificate = identity.certificate;
        endpoint.client_key = identity.key;
        return endpoint;
    }

    TestIdentity authority;
    TestIdentity agents_server;
    TestIdentity operators_server;
};

Task<> call_peer(TlsWorld* world, Endpoint endpoint, json::object* out) {
    Client client(world->runtime, std::move(endpoint));
    const ClientResponse response = co_await get(&client, "/peer");
    REQUIRE(response.status == 200);
    *out = json::parse(response.body).as_object();
}

Task<> call(TlsWorld* world, Endpoint endpoint, std::string target, Result<ClientResponse>* out) {
    Client client(world->runtime, std::move(endpoint));
    ClientRequest request;
    request.target = std::move(target);
    *out = co_await client.send(std::move(request), Duration(5000));
}

Result<ClientResponse> call(TlsWorld& world, Endpoint endpoint, std::string target) {
    Result<ClientResponse> result = Error{icos::errc::internal, "not run"};
    world.run(call(&world, std::move(endpoint), std::move(target), &result));
    return result;
}

Task<> open_link(TlsWorld* world, Endpoint endpoint) {
    Client client(world->runtime, std::move(endpoint));
    auto frames = co_await client.websocket("/link", {}, Duration(5000));
    REQUIRE(frames.has_value());
    co_await (*frames)->write(std::string(60'000, 'x'));
    auto echoed = co_await (*frames)->read();
    REQUIRE(echoed.has_value());
    CHECK(echoed->size() == 60'000);
}

Task<> shake_hands_badly(TlsWorld* world) {
    RawPeer peer(world->runtime, world->port());
    peer.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = co_await peer.read_all();
    CHECK(answer.find("HTTP") == std::string::npos);
}

}  // namespace

TEST_CASE("An agent proves its key whatever its certificate says", "[http][tls]") {
    TlsWorld world;
    json::object seen;

    SECTION("self-signed and expired") {
        const TestIdentity agent = make_identity({.common_name = "board", .is_expired = true});
        world.run(call_peer(&world, world.agent_endpoint(agent), &seen));
        CHECK(seen.at("key_id").as_string() == agent.pin);
        CHECK(seen.at("subject").as_string() == "agent:" + agent.pin);
        CHECK(seen.at("name") == "board");
        CHECK(seen.at("issued_by_us").as_bool() == false);
        CHECK(seen.at("spki_size").to_number<int>() == 91);
    }
    SECTION("issued by the embedded CA") {
        const TestIdentity agent =
            make_identity({.common_name = "node-7", .usage = "clientAuth", .issuer = &world.authority});
        world.run(call_peer(&world, world.agent_endpoint(agent), &seen));
        CHECK(seen.at("name") == "node-7");
        CHECK(seen.at("issued_by_us").as_bool() == true);
        CHECK(seen.at("not_after").to_number<std::int64_t>() > 1'700'000'000'000);
    }
    SECTION("a forged issuer name") {
        const TestIdentity forger = make_identity({.common_name = "ICOS CA", .is_authority = true});
        const TestIdentity agent = make_identity({.common_name = "node-7", .issuer = &forger});
        world.run(call_peer(&world, world.agent_endpoint(agent), &seen));
        CHECK(seen.at("issued_by_us").as_bool() == false);
    }
}

TEST_CASE("The agent protocol needs a client certificate", "[http][tls]") {
    TlsWorld world;
    Endpoint endpoint = world.tls_endpoint();
    endpoint.alpn = "icos-agent/1";
    endpoint.pin = world.authority.pin;

    const auto result = call(world, endpoint, "/peer");

    REQUIRE(result.has_error());
    CHECK((result.error().code == errc::tls_failed || result.error().code == errc::closed));
}

TEST_CASE("Any other client gets the operator's certificate and is not asked for one", "[http][tls]") {
    TlsWorld world;
    Endpoint endpoint = world.tls_endpoint();
    endpoint.pin = world.operators_server.pin;

    const auto open = call(world, endpoint, "/hello");
    const auto agent_only = call(world, endpoint, "/peer");
    const auto anonymous = call(world, endpoint, "/read");

    REQUIRE(open.has_value());
    CHECK(open->body == "hello");
    CHECK(agent_only.value().status == 403);
    CHECK(anonymous.value().status == 401);
}

TEST_CASE("An agent may use open routes and no other people's", "[http][tls]") {
    TlsWorld world;
    const TestIdentity agent = make_identity({.common_name = "board"});

    CHECK(call(world, world.agent_endpoint(agent), "/hello").value().status == 200);
    CHECK(call(world, world.agent_endpoint(agent), "/read").value().status == 403);
}

TEST_CASE("A server without the pinned key is refused, whoever it is", "[http][tls]") {
    TlsWorld world;
    const TestIdentity agent = make_identity({.common_name = "board"});
    Endpoint endpoint = world.agent_endpoint(agent);

    SECTION("another CA") {
        endpoint.pin = make_identity({.is_authority = true}).pin;
    }
    SECTION("the CA's certificate presented by who does not hold a key it signed") {
        const TestIdentity impostor = make_identity({.common_name = "controller", .usage = "serverAuth"});
        TlsMaterial material;
        material.agent_certificate = impostor.certificate + world.authority.certificate;
        material.agent_key = impostor.key;
        world.server.use_tls(std::move(material)).value();
    }
    SECTION("a node's certificate of the same CA") {
        const TestIdentity node =
            make_identity({.common_name = "controller", .usage = "clientAuth", .issuer = &world.authority});
        TlsMaterial material;
        material.agent_certificate = node.certificate + world.authority.certificate;
        material.agent_key = node.key;
        world.server.use_tls(std::move(material)).value();
    }

    const auto result = call(world, endpoint, "/peer");

    REQUIRE(result.has_error());
    CHECK(result.error().code == errc::pin_mismatch);
}

TEST_CASE("A pinned server is trusted when its certificate has expired", "[http][tls]") {
    TlsWorld world;
    const TestIdentity old =
        make_identity({.is_expired = true, .usage = "serverAuth", .issuer = &world.authority});
    TlsMaterial material;
    material.agent_certificate = old.certificate + world.authority.certificate;
    material.agent_key = old.key;
    world.server.use_tls(std::move(material)).value();
    Endpoint endpoint = world.tls_endpoint();
    endpoint.pin = world.authority.pin;

    CHECK(call(world, endpoint, "/hello").has_value());
}

TEST_CASE("With a CA, the name and the dates count", "[http][tls]") {
    TlsWorld world;
    const TestIdentity good = make_identity({.usage = "serverAuth", .issuer = &world.authority});
    const TestIdentity old =
        make_identity({.is_expired = true, .usage = "serverAuth", .issuer = &world.authority});
    TlsMaterial material;
    material.operator_certificate = good.certificate;
    material.operator_key = good.key;
    Endpoint endpoint = world.tls_endpoint();
    endpoint.ca = world.authority.certificate;

    world.server.use_tls(material).value();
    CHECK(call(world, endpoint, "/hello").has_value());
    endpoint.host = "localhost";
    CHECK(call(world, endpoint, "/hello").has_value());
    endpoint.host = "127.0.0.1";

    Endpoint stranger = world.tls_endpoint();
    stranger.ca = make_identity({.is_authority = true}).certificate;
    CHECK(call(world, stranger, "/hello").error().code == errc::tls_failed);
    CHECK(call(world, world.tls_endpoint(), "/hello").error().code == errc::tls_failed);

    material.operator_certificate = old.certificate;
    material.operator_key = old.key;
    world.server.use_tls(material).value();
    CHECK(call(world, endpoint, "/hello").error().detail.find("expired") != std::string::npos);
}

TEST_CASE("A certificate and a key that do not belong together are refused at once", "[http][tls]") {
    TlsWorld world;
    TlsMaterial material;
    material.agent_certificate = world.agents_server.certificate;
    material.agent_key = world.authority.key;

    CHECK(world.server.use_tls(material).error().code == icos::errc::invalid);
    material.agent_key = "nonsense";
    CHECK(world.server.use_tls(material).error().code == icos::errc::invalid);
}

TEST_CASE("The agent link runs as a WebSocket over mutual TLS", "[http][tls]") {
    TlsWorld world;
    const TestIdentity agent = make_identity({.common_name = "board"});

    world.run(open_link(&world, world.agent_endpoint(agent)));
}

TEST_CASE("Plain HTTP on the TLS port ends the connection", "[http][tls]") {
    TlsWorld world;

    world.run(shake_hands_badly(&world));

    CHECK(world.server.metrics().find("icos_http_tls_handshakes_failed_total 1\n") != std::string::npos);
}

}  // namespace icos::http::test
