// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

std::string text(const json::value& value, std::string_view key) {
    return std::string(value.at(key).as_string());
}

std::string next(World& world, const http::Response& response) {
    auto piece = run(world.run_time(), response.stream->next());
    return piece.value_or("<end>");
}

std::size_t count(const std::string& in, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("events are listed oldest first, filtered and paged", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("one", worker("one", ""));
    world.apply("two", worker("two", ""));

    const auto all = world.get("/api/v1/events");
    REQUIRE(all.at("items").as_array().size() >= 4);
    CHECK(all.at("items").at(0).at("seq").to_number<int>() == 1);
    CHECK(text(all.at("items").at(0), "kind") == "app.accepted");
    CHECK(text(all.at("items").at(0), "subject") == "one");
    CHECK(text(all.at("items").at(0), "layer") == "runtime");
    CHECK(all.at("items").at(0).at("data").at("generation").to_number<int>() == 1);
    const auto of_two = world.get("/api/v1/events?app=two");
    for (const auto& item : of_two.at("items").as_array()) CHECK(text(item, "app") == "two");
    CHECK(world.get("/api/v1/events?kind=placement.").at("items").as_array().size() == 2);
    CHECK(world.get("/api/v1/events?actor=nobody").at("items").as_array().empty());
    const auto by_caller = world.get("/api/v1/events?actor=" + text(all.at("items").at(0), "actor"));
    CHECK(by_caller.at("items").as_array().size() == 2);
    CHECK(world.get("/api/v1/events?node=edge-1").at("items").as_array().size() == 2);
    CHECK(
        world.get("/api/v1/events?since=1h").at("items").as_array().size() ==
        all.at("items").as_array().size()
    );

    const auto page = world.get("/api/v1/events?after=1&limit=1");
    REQUIRE(page.at("items").as_array().size() == 1);
    CHECK(page.at("items").at(0).at("seq").to_number<int>() == 2);
    CHECK(text(page, "next") == "2");
    CHECK(world.send(http::Method::get, "/api/v1/events?layer=none").status == 400);
    CHECK(world.send(http::Method::get, "/api/v1/events?since=yesterday").status == 400);
    CHECK(world.send(http::Method::get, "/api/v1/events?after=x").status == 400);
}

TEST_CASE("a watch tells what happens from now on", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("one", worker("one", ""));
    const auto response = world.send(http::Method::get, "/api/v1/events?watch&app=two");
    REQUIRE(response.stream);
    CHECK(response.content_type == "text/event-stream");

    world.apply("one", worker("one", "", "demo/worker:2"));
    world.apply("two", worker("two", ""));

    const std::string heard = next(world, response);
    CHECK(count(heard, "\"kind\":\"app.accepted\"") == 1);
    CHECK(count(heard, "\"subject\":\"one\"") == 0);
    CHECK(heard.starts_with("id: "));
}

TEST_CASE("a watch resumes after Last-Event-ID without gap or repetition", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("one", worker("one", ""));
    auto request = world.request(http::Method::get, "/api/v1/events?watch");
    request.headers["Last-Event-ID"] = "1";

    const auto response = world.send(request);
    world.settle();
    world.apply("two", worker("two", ""));

    const std::string heard = next(world, response);
    for (std::size_t seq = 2; seq <= world.store->recorded().size(); ++seq) {
        CHECK(count(heard, "id: " + std::to_string(seq) + "\n") == 1);
    }
    CHECK(count(heard, "id: 1\n") == 0);
}

TEST_CASE("an application is watched from its present state to its end", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", ""));
    const auto response = world.send(http::Method::get, "/api/v1/apps/big?watch");
    REQUIRE(response.stream);
    const std::string first = next(world, response);
    CHECK(first.starts_with("event: app\n"));
    CHECK(count(first, "\"state\":\"deploying\"") >= 1);

    world.run_all("edge-1");
    CHECK(count(next(world, response), "\"state\":\"running\"") >= 1);
    world.send(http::Method::del, "/api/v1/apps/big");
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, {}, true);
    world.settle();

    const std::string last = next(world, response);
    CHECK(count(last, "event: deleted\n") == 1);
    CHECK(next(world, response) == "<end>");
}

TEST_CASE("stopping the module ends what is watched", "[job_manager]") {
    World world;
    world.apply("big", worker("big", ""));
    const auto response = world.send(http::Method::get, "/api/v1/apps/big?watch");
    next(world, response);

    run(world.run_time(), world.modules.back()->stop(Duration(1000)));

    CHECK(next(world, response) == "<end>");
}

TEST_CASE("applications are listed as they were recorded at a time", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    const std::string before = to_rfc3339(world.runtime.wall());
    world.runtime.advance(std::chrono::seconds(1));
    world.apply("one", worker("one", ""));
    const std::string first = to_rfc3339(world.runtime.wall());
    world.runtime.advance(std::chrono::seconds(1));
    world.apply("one", worker("one", "", "demo/worker:2"));
    world.settle();

    CHECK(world.get("/api/v1/apps?at=" + before).at("items").as_array().empty());
    const auto then = world.get("/api/v1/apps?at=" + first);
    REQUIRE(then.at("items").as_array().size() == 1);
    CHECK(text(then.at("items").at(0), "name") == "one");
    CHECK(text(then.at("items").at(0), "desired") == "running");
    CHECK(then.at("items").at(0).at("generation").to_number<int>() == 1);
    const auto now = world.get("/api/v1/apps?at=0s");
    CHECK(now.at("items").at(0).at("generation").to_number<int>() == 2);
}

TEST_CASE("a time that is none or no longer kept is refused with what would do", "[job_manager]") {
    World world;
    const auto bad = world.send(http::Method::get, "/api/v1/apps?at=yesterday");
    CHECK(bad.status == 400);
    CHECK(count(bad.body, "?at=yesterday") == 1);
    CHECK(count(bad.body, "10m") == 1);

    world.store->history_from = world.runtime.wall();
    const auto old = world.send(http::Method::get, "/api/v1/apps?at=1h");
    CHECK(old.status == 410);
    CHECK(count(old.body, "store.history_gone") >= 1);
}
