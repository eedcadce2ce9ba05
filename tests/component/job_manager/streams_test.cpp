// SPDX-License-Identifier: Apache-2.0
#include "frame_pipe.hpp"
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

std::shared_ptr<FakeNodeStream::Shared> add_stream(World& world) {
    auto shared = std::make_shared<FakeNodeStream::Shared>(world.run_time());
    world.fleet().streams.push_back(std::make_unique<FakeNodeStream>(shared));
    return shared;
}

void say(FakeNodeStream::Shared& stream, const std::string& line) {
    stream.out.push_back(
        R"([{"service":"web","stream":"stdout","ts":"2026-11-24T04:00:00Z","line":")" + line + "\"}]"
    );
    stream.changed.notify();
}

void end(FakeNodeStream::Shared& stream) {
    stream.ended = true;
    stream.changed.notify();
}

std::string read_all(World& world, http::Response response) {
    std::string out;
    for (;;) {
        auto piece = run(world.run_time(), response.stream->next());
        if (!piece) return out;
        out += *piece;
    }
}

/// hello on edge-1.
void place_hello(World& world) {
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
}

/// A client that upgraded to the exec route; the server's part runs in `group`.
std::unique_ptr<http::FrameStream> connect(World& world, TaskGroup& group, std::string target) {
    auto pipe = make_frame_pipe(world.run_time());
    auto request = world.request(http::Method::get, std::move(target));
    const auto route = run(world.run_time(), world.router->match_socket(request));
    REQUIRE(route.has_value());
    group.spawn("test", (*route)->handler(std::move(request), std::move(pipe.second)));
    return std::move(pipe.first);
}

}  // namespace

TEST_CASE("logs of all replicas come as one stream of lines", "[job_manager]") {
    World world;
    place_hello(world);
    const auto api = add_stream(world);
    const auto web = add_stream(world);
    say(*api, "from api");
    say(*web, "from web");
    end(*api);
    end(*web);

    const auto response = world.send(http::Method::get, "/api/v1/apps/hello/logs?tail=10&since=10m");

    REQUIRE(response.status == 200);
    CHECK(response.content_type == "application/x-ndjson");
    const std::string lines = read_all(world, response);
    CHECK(
        lines.find(R"("component":"api","replica":0,"service":"web","stream":"stdout","line":"from api"})") !=
        std::string::npos
    );
    CHECK(lines.find(R"("component":"web")") != std::string::npos);
    REQUIRE(world.fleet().opened.size() == 2);
    const auto arguments = json::parse(world.fleet().opened[0].arguments);
    CHECK(world.fleet().opened[0].kind == "logs");
    CHECK(arguments.at("tail").to_number<int>() == 10);
    CHECK_FALSE(arguments.at("follow").as_bool());
    CHECK(arguments.at("since_ms").to_number<std::int64_t>() == to_ms(world.run_time().wall()) - 600'000);
}

TEST_CASE("logs of one component ask only its node", "[job_manager]") {
    World world;
    place_hello(world);
    end(*add_stream(world));

    CHECK(world.send(http::Method::get, "/api/v1/apps/hello/logs?component=web").status == 200);

    REQUIRE(world.fleet().opened.size() == 1);
    const auto arguments = json::parse(world.fleet().opened[0].arguments);
    CHECK(arguments.at("placement").as_string() == world.desired("edge-1", "web").placement.value);
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello/logs?component=other").status == 404);
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello/logs?tail=x").status == 400);
}

TEST_CASE(
    "logs of what has no node, or whose nodes are all away, are refused with the reason", "[job_manager]"
) {
    World world;
    world.apply("hello", hello());
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello/logs").status == 409);
    world.fleet().set({ready_node("edge-1")});
    world.settle();

    const auto response = world.send(http::Method::get, "/api/v1/apps/hello/logs");

    CHECK(response.status >= 400);
    CHECK(response.body.find("node-edge-1 is away") != std::string::npos);
}

TEST_CASE("a replica that cannot be reached is a line among those of the others", "[job_manager]") {
    World world;
    place_hello(world);
    const auto api = add_stream(world);
    say(*api, "from api");
    end(*api);

    const std::string lines = read_all(world, world.send(http::Method::get, "/api/v1/apps/hello/logs"));

    CHECK(lines.find("from api") != std::string::npos);
    CHECK(lines.find(R"("stream":"icos","line":"edge-1: node-edge-1 is away")") != std::string::npos);
}

TEST_CASE("followed logs take up replicas that come later and end with the application", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", descriptor_text("hello", component_text("web"), manifest_text("web", "demo/web:1")));
    const auto web = add_stream(world);
    say(*web, "one");
    const auto response = world.send(http::Method::get, "/api/v1/apps/hello/logs?follow");
    CHECK(run(world.run_time(), response.stream->next())->find("one") != std::string::npos);

    const auto api = add_stream(world);
    say(*api, "two");
    world.apply("hello", hello());
    world.settle();
    CHECK(run(world.run_time(), response.stream->next())->find("two") != std::string::npos);

    world.send(http::Method::del, "/api/v1/apps/hello");
    end(*web);
    end(*api);
    world.fleet().accept("edge-1");
    world.settle();
    CHECK(read_all(world, response).empty());
}

TEST_CASE("a client that goes away lets the node's stream go", "[job_manager]") {
    World world;
    place_hello(world);
    const auto api = add_stream(world);
    const auto web = add_stream(world);
    {
        const auto response = world.send(http::Method::get, "/api/v1/apps/hello/logs?follow");
        world.settle();
        CHECK_FALSE(api->closed);
    }
    world.settle();

    CHECK(api->closed);
    CHECK(web->closed);
}

TEST_CASE("a slow client makes the node wait instead of filling memory", "[job_manager]") {
    World world;
    place_hello(world);
    const auto api = add_stream(world);
    end(*add_stream(world));
    const std::string long_line(10'000, 'x');
    for (int i = 0; i < 200; ++i) say(*api, long_line);

    const auto response = world.send(http::Method::get, "/api/v1/apps/hello/logs");
    world.settle();
    CHECK(api->out.size() > 150);

    end(*api);
    const std::string all = read_all(world, response);
    CHECK(std::count(all.begin(), all.end(), '\n') == 200);
}

TEST_CASE("exec carries messages both ways until the command ends", "[job_manager]") {
    World world;
    place_hello(world);
    const auto node = add_stream(world);
    TaskGroup group(world.run_time());

    const auto client = connect(
        world, group, R"(/api/v1/apps/hello/exec?component=web&interactive&command=["sh","-c","date"])"
    );
    world.settle();
    run(world.run_time(), client->write(std::string(1, '\0') + "input"));
    world.settle();
    REQUIRE(node->in.size() == 1);
    CHECK(node->in.front() == std::string(1, '\0') + "input");
    node->out.push_back(std::string(1, '\0') + "output");
    node->out.push_back(std::string("\x02") + R"({"exit_code":3})");
    node->changed.notify();

    CHECK(*run(world.run_time(), client->read()) == std::string(1, '\0') + "output");
    CHECK(*run(world.run_time(), client->read()) == std::string("\x02") + R"({"exit_code":3})");
    CHECK(run(world.run_time(), client->read()).has_error());
    CHECK(node->closed);
    const auto arguments = json::parse(world.fleet().opened.at(0).arguments);
    CHECK(world.fleet().opened.at(0).kind == "exec");
    CHECK(arguments.at("service").as_string() == "web");
    CHECK(arguments.at("command").as_array().size() == 3);
    CHECK(arguments.at("interactive").as_bool());
    CHECK_FALSE(arguments.at("tty").as_bool());
    // Who ran what is on record; the words after the program may be secrets.
    const Event& recorded = world.event("component.exec", "hello/web");
    CHECK(recorded.message == "ran sh in service web");
    CHECK(recorded.layer == Layer::security);
    CHECK_FALSE(recorded.actor.empty());
}

TEST_CASE("a client that hangs up ends the command's stream", "[job_manager]") {
    World world;
    place_hello(world);
    const auto node = add_stream(world);
    TaskGroup group(world.run_time());
    const auto client = connect(world, group, R"(/api/v1/apps/hello/exec?component=web&command=["sh"])");
    world.settle();

    client->close();
    world.settle();

    CHECK(node->closed);
    CHECK(group.size() == 0);
}

TEST_CASE("a node that is away is told on the upgraded connection", "[job_manager]") {
    World world;
    place_hello(world);
    TaskGroup group(world.run_time());

    const auto client = connect(world, group, R"(/api/v1/apps/hello/exec?component=web&command=["sh"])");

    const std::string last = *run(world.run_time(), client->read());
    CHECK(last.front() == '\x02');
    CHECK(json::parse(last.substr(1)).at("error").at("detail").as_string() == "node-edge-1 is away");
}

TEST_CASE("exec is refused before the upgrade when it cannot be meant", "[job_manager]") {
    World world;
    place_hello(world);
    const auto refused = [&](std::string target) {
        auto request = world.request(http::Method::get, std::move(target));
        const auto route = run(world.run_time(), world.router->match_socket(request));
        return route.has_error() ? stable_code(route.error()) : std::string("accepted");
    };

    CHECK(refused(R"(/api/v1/apps/gone/exec?command=["sh"])") == "app.not_found");
    CHECK(refused(R"(/api/v1/apps/hello/exec?command=["sh"])") == "app.ambiguous");
    CHECK(refused(R"(/api/v1/apps/hello/exec?component=no&command=["sh"])") == "app.component_not_found");
    CHECK(refused("/api/v1/apps/hello/exec?component=web&command=sh") == "app.invalid_query");
    CHECK(refused("/api/v1/apps/hello/exec?component=web&command=[]") == "app.invalid_query");
    CHECK(refused(R"(/api/v1/apps/hello/exec?component=web&replica=7&command=["sh"])") == "app.not_placed");
    CHECK(refused(R"(/api/v1/apps/hello/exec?component=web&command=["sh"])") == "accepted");
}
