// SPDX-License-Identifier: Apache-2.0
#include "http_world.hpp"
#include "icos/core/log.hpp"
#include "icos/http/event_stream.hpp"

#include <catch2/catch.hpp>

namespace icos::http::test {
namespace {

/// Hands out event streams and remembers the last one as producers do.
struct Feed {
    explicit Feed(Runtime& r) : runtime(r) {}
    Runtime& runtime;
    std::weak_ptr<EventStream> last;
    std::size_t opened = 0;

    Handler handler() {
        return [this](const Request&) { return open(this); };
    }

private:
    static Task<Result<Response>> open(Feed* feed) {
        const auto stream = std::make_shared<EventStream>(feed->runtime);
        stream->push("app", "1", "first");
        feed->last = stream;
        ++feed->opened;
        co_return EventStream::response(stream);
    }
};

ClientRequest request_for(std::string target) {
    ClientRequest request;
    request.target = std::move(target);
    return request;
}

Task<> follow(HttpWorld* world, Feed* feed) {
    Client client(world->runtime, world->endpoint());
    auto stream = co_await client.stream(request_for("/events"), Duration(5000));
    REQUIRE(stream.has_value());
    CHECK((*stream)->status == 200);
    CHECK((*stream)->headers.at("Content-Type") == "text/event-stream");
    auto first = co_await (*stream)->next();
    CHECK(first.value() == "id: 1\nevent: app\ndata: first\n\n");
    feed->last.lock()->push("app", "2", "second");
    auto second = co_await (*stream)->next();
    CHECK(second.value() == "id: 2\nevent: app\ndata: second\n\n");
    feed->last.lock()->end();
    auto end = co_await (*stream)->next();
    REQUIRE(end.has_value());
    CHECK_FALSE(end->has_value());
}

Task<> leave(HttpWorld* world, Feed* feed) {
    {
        Client client(world->runtime, world->endpoint());
        auto stream = co_await client.stream(request_for("/events"), Duration(5000));
        REQUIRE(stream.has_value());
        auto first = co_await (*stream)->next();
        REQUIRE(first.has_value());
        REQUIRE_FALSE(feed->last.expired());
    }
    co_await eventually(&world->runtime, [feed] { return feed->last.expired(); });
}

Task<> stop_under_stream(HttpWorld* world, Feed* feed) {
    RawPeer peer(world->runtime, world->port());
    peer.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await peer.read_until("first");
    co_await world->server.stop(Duration(2000));
    const std::string rest = co_await peer.read_all();
    CHECK(rest.ends_with("0\r\n\r\n"));
    CHECK(feed->last.expired());
}

Task<> read_as_http_1_0(HttpWorld* world, Feed* feed) {
    RawPeer peer(world->runtime, world->port());
    peer.send("GET /events HTTP/1.0\r\n\r\n");
    const std::string head = co_await peer.read_until("first\n\n");
    CHECK(head.find("Transfer-Encoding") == std::string::npos);
    feed->last.lock()->end();
    const std::string rest = co_await peer.read_all();
    CHECK(rest.empty());
}

class Failing final : public BodyStream {
public:
    Task<std::optional<std::string>> next() override {
        if (std::exchange(has_begun_, true)) throw std::runtime_error("broken");
        co_return "piece";
    }

private:
    bool has_begun_ = false;
};

Task<Result<Response>> open_failing() {
    Response response = Response::json("");
    response.stream = std::make_shared<Failing>();
    co_return response;
}

Task<> read_broken(HttpWorld* world) {
    Client client(world->runtime, world->endpoint());
    const auto whole = co_await client.send(request_for("/broken"), Duration(5000));
    REQUIRE(whole.has_error());
    CHECK(whole.error().code == errc::closed);
}

Task<> fill_up(HttpWorld* world, Feed* feed) {
    RawPeer peer(world->runtime, world->port());
    peer.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await peer.read_until("first");
    // The client reads no more: first the sockets' buffers fill, then the stream's queue, and then it ends.
    const std::string data(64U << 10U, 'x');
    std::size_t pushed = 0;
    while (!feed->last.expired() && pushed < 2000) {
        const auto stream = feed->last.lock();
        if (stream->has_ended()) break;
        stream->push("app", std::to_string(pushed), data);
        ++pushed;
        if (pushed % 8 == 0) co_await sleep_for(world->runtime, Duration(1));
    }
    CHECK(pushed < 2000);
}

}  // namespace

TEST_CASE("Server-sent events arrive as they are pushed", "[http][stream]") {
    HttpWorld world;
    Feed feed(world.runtime);
    world.route(Method::get, "/events", Access::open, feed.handler());
    world.listen();

    world.run(follow(&world, &feed));
}

TEST_CASE("A stream is let go of when its client goes away", "[http][stream]") {
    HttpWorld world;
    Feed feed(world.runtime);
    world.route(Method::get, "/events", Access::open, feed.handler());
    world.listen();

    world.run(leave(&world, &feed));
}

TEST_CASE("Stopping the server ends streams properly", "[http][stream]") {
    HttpWorld world;
    Feed feed(world.runtime);
    world.route(Method::get, "/events", Access::open, feed.handler());
    world.listen();

    world.run(stop_under_stream(&world, &feed));
}

TEST_CASE("A stream to a client of HTTP/1.0 is not chunked", "[http][stream]") {
    HttpWorld world;
    Feed feed(world.runtime);
    world.route(Method::get, "/events", Access::open, feed.handler());
    world.listen();

    world.run(read_as_http_1_0(&world, &feed));
}

TEST_CASE("A stream that fails ends without looking complete", "[http][stream]") {
    configure_logging({.to_stderr = false});
    HttpWorld world;
    world.route(Method::get, "/broken", Access::open, [](const Request&) { return open_failing(); });
    world.listen();

    world.run(read_broken(&world));
}

TEST_CASE("A client that reads nothing does not make the server's memory grow", "[http][stream]") {
    HttpWorld world;
    Feed feed(world.runtime);
    world.route(Method::get, "/events", Access::open, feed.handler());
    world.listen();

    world.run(fill_up(&world, &feed));
}

}  // namespace icos::http::test
