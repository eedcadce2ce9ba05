// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

std::string text(const json::value& value, std::string_view key) {
    return std::string(value.at(key).as_string());
}

int number(const json::value& value, std::string_view key) {
    return value.at(key).to_number<int>();
}

http::Response undo(World& world, const std::string& body = {}) {
    return world.send(http::Method::post, "/api/v1/apps/hello/rollback", body);
}

std::string code(const http::Response& response) {
    return text(json::parse(response.body), "code");
}

std::string descriptor_of(World& world, const std::string& generation) {
    const auto response = world.send(http::Method::get, "/api/v1/apps/hello/generations/" + generation);
    return response.status == 200 ? response.body : response.body + " " + std::to_string(response.status);
}

/// Leaves the rows of generations as versions before wrote them: the text alone.
void strip_revisions(MemoryStore& store) {
    const auto rows = store.rows();
    for (const auto& [key, row] : rows) {
        if (row.kind != "app_revision") continue;
        Row old = row;
        old.body = json::serialize(json::object{{"text", json::parse(row.body).at("text")}});
        store.put(old);
    }
}

/// hello as first applied, then with another image of web; `web` of the first generation, `api` of both.
std::pair<agent::DesiredPlacement, agent::DesiredPlacement> run_two_generations(World& world) {
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.run_all("edge-1");
    const agent::DesiredPlacement web = world.desired("edge-1", "web");
    world.apply("hello", hello("demo/web:2"));
    world.run_all("edge-1");
    return {web, world.desired("edge-1", "api")};
}

}  // namespace

TEST_CASE("the history lists kept generations, newest first, with time and actor", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    const std::string first = text(world.app("hello"), "updated_at");
    world.run_time().advance(Duration(60'000));
    auto request = world.request(
        http::Method::put,
        "/api/v1/apps/hello",
        descriptor_text("hello", component_text("web"), manifest_text("web", "demo/web:2"))
    );
    request.caller.subject = "token:ops";
    CHECK(world.send(request).status == 200);
    const std::string second = text(world.app("hello"), "updated_at");
    REQUIRE(first != second);

    const auto items = world.get("/api/v1/apps/hello/generations").at("items").as_array();

    REQUIRE(items.size() == 2);
    CHECK(number(items[0], "generation") == 2);
    CHECK(text(items[0], "at") == second);
    CHECK(text(items[0], "actor") == "token:ops");
    CHECK(text(items[0], "state") == "current");
    CHECK(number(items[0], "components") == 1);
    CHECK(number(items[1], "generation") == 1);
    CHECK(text(items[1], "at") == first);
    CHECK(text(items[1], "actor") == "token:admin");
    CHECK(text(items[1], "state") == "kept");
    CHECK(number(items[1], "components") == 2);

    world.reboot();
    CHECK(world.get("/api/v1/apps/hello/generations").at("items").as_array() == items);
}

TEST_CASE("only the last ten generations are in the history", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    for (int i = 1; i <= 12; ++i) world.apply("hello", hello("demo/web:" + std::to_string(i)));

    const auto items = world.get("/api/v1/apps/hello/generations").at("items").as_array();

    REQUIRE(items.size() == 10);
    CHECK(number(items.back(), "generation") == 3);
    CHECK(code(undo(world, R"({"generation":2})")) == "app.no_such_generation");
}

TEST_CASE("the text of a kept generation is what was applied", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.apply("hello", hello("demo/web:2"));

    const auto response = world.send(http::Method::get, "/api/v1/apps/hello/generations/1");

    CHECK(response.status == 200);
    CHECK(response.content_type == "text/yaml");
    CHECK(response.body == hello());
    CHECK(descriptor_of(world, "2") == hello("demo/web:2"));
    const auto unknown = world.send(http::Method::get, "/api/v1/apps/hello/generations/7");
    CHECK(unknown.status == 404);
    CHECK(code(unknown) == "app.no_such_generation");
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello/generations/one").status == 400);
    CHECK(code(world.send(http::Method::get, "/api/v1/apps/gone/generations/1")) == "app.not_found");
    CHECK(code(world.send(http::Method::get, "/api/v1/apps/gone/generations")) == "app.not_found");
}

TEST_CASE("undo makes a new generation of the earlier text and restarts only what differs", "[job_manager]") {
    World world;
    const auto [web, api] = run_two_generations(world);
    REQUIRE(world.desired("edge-1", "web").digest != web.digest);
    auto request = world.request(http::Method::post, "/api/v1/apps/hello/rollback");
    request.caller.subject = "token:ops";

    const auto response = world.send(request);

    REQUIRE(response.status == 200);
    const auto body = json::parse(response.body);
    CHECK(text(body, "result") == "updated");
    CHECK(number(body.at("app"), "generation") == 3);
    CHECK(response.headers.contains("ETag"));
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello/descriptor").body == hello());
    CHECK(world.desired("edge-1", "web").placement == web.placement);
    CHECK(world.desired("edge-1", "web").digest == web.digest);
    CHECK(world.desired("edge-1", "api").placement == api.placement);
    CHECK(world.desired("edge-1", "api").digest == api.digest);
    const Event& event = world.event("app.accepted", "hello");
    CHECK(event.actor == "token:ops");
    CHECK(event.message == "generation 3 accepted, 2 components, goes back to generation 1");
    world.run_all("edge-1");
    CHECK(world.state("hello") == "running");
    CHECK(
        world.get("/api/v1/apps/hello/generations").at("items").as_array().front().at("actor").as_string() ==
        "token:ops"
    );
}

TEST_CASE("undo of an undo returns to where it was", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.apply("hello", hello("demo/web:2"));
    undo(world);

    CHECK(undo(world).status == 200);

    CHECK(number(world.app("hello"), "generation") == 4);
    CHECK(descriptor_of(world, "4") == hello("demo/web:2"));
}

TEST_CASE("undo to a generation takes that one, and twice the same changes nothing", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    for (const char* image : {"demo/web:1", "demo/web:2", "demo/web:3"}) world.apply("hello", hello(image));

    CHECK(undo(world, R"({"generation":1})").status == 200);
    CHECK(descriptor_of(world, "4") == hello());
    const auto again = undo(world, R"({"generation":1})");

    CHECK(again.status == 200);
    CHECK(text(json::parse(again.body), "result") == "unchanged");
    CHECK(number(world.app("hello"), "generation") == 4);
}

TEST_CASE("undo without anything earlier is refused", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    const auto commits = world.store->commits();

    const auto response = undo(world);

    CHECK(response.status == 409);
    CHECK(code(response) == "app.nothing_to_undo");
    CHECK(world.store->commits() == commits);
}

TEST_CASE("undo to a generation that is not kept says which are", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.apply("hello", hello("demo/web:2"));

    const auto response = undo(world, R"({"generation":9})");

    CHECK(response.status == 404);
    CHECK(code(response) == "app.no_such_generation");
    CHECK(text(json::parse(response.body), "detail") == "hello has no generation 9; kept are 1, 2");
    for (const char* body : {"{", "[]", R"({"generation":"1"})", R"({"generation":0})"}) {
        INFO(body);
        CHECK(undo(world, body).status == 400);
    }
    CHECK(number(world.app("hello"), "generation") == 2);
}

TEST_CASE("undo is refused for what is unknown, on its way out, or was changed meanwhile", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    CHECK(code(undo(world)) == "app.not_found");
    world.apply("hello", hello());
    const auto old = world.send(http::Method::get, "/api/v1/apps/hello").headers.at("ETag");
    world.apply("hello", hello("demo/web:2"));
    for (const char* body : {"", R"({"generation":1})"}) {
        INFO(body);
        auto request = world.request(http::Method::post, "/api/v1/apps/hello/rollback", body);
        request.headers["If-Match"] = old;
        const auto response = world.send(request);
        CHECK(response.status == 412);
        CHECK(code(response) == "app.changed");
    }
    CHECK(number(world.app("hello"), "generation") == 2);
    world.run_all("edge-1");
    world.send(http::Method::del, "/api/v1/apps/hello");

    const auto response = undo(world);

    CHECK(response.status == 409);
    CHECK(code(response) == "app.deleting");
}

TEST_CASE("undo works after a controller restart and restarts nothing that is the same", "[job_manager]") {
    World world;
    const auto [web, api] = run_two_generations(world);
    world.reboot();

    REQUIRE(undo(world).status == 200);

    CHECK(number(world.app("hello"), "generation") == 3);
    CHECK(world.desired("edge-1", "web").digest == web.digest);
    CHECK(world.desired("edge-1", "api").digest == api.digest);
    CHECK(world.desired("edge-1", "api").placement == api.placement);
}

TEST_CASE("generations stored without time and actor are listed and can be undone to", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.apply("hello", hello("demo/web:2"));
    strip_revisions(*world.store);

    world.reboot();

    const auto items = world.get("/api/v1/apps/hello/generations").at("items").as_array();
    REQUIRE(items.size() == 2);
    for (const auto& item : items) {
        CHECK(item.at("at").is_null());
        CHECK(text(item, "actor").empty());
        CHECK(item.at("components").is_null());
    }
    CHECK(undo(world).status == 200);
    CHECK(descriptor_of(world, "3") == hello());
}

TEST_CASE("undo means the one before what is current when its turn comes", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.apply("hello", hello("demo/web:2"));
    std::vector<unsigned> answers;
    TaskGroup group(world.runtime);
    const auto send = [](World& w, http::Request request, std::vector<unsigned>& out) -> Task<> {
        const http::Response response = co_await w.router->dispatch(std::move(request));
        out.push_back(response.status);
    };
    // The undo reads the store while the apply gets in before it.
    auto back = world.request(http::Method::post, "/api/v1/apps/hello/rollback");
    group.spawn("undo", send(world, std::move(back), answers));
    auto next = world.request(http::Method::put, "/api/v1/apps/hello", hello("demo/web:3"));
    group.spawn("apply", send(world, std::move(next), answers));
    world.settle();

    CHECK(answers == std::vector<unsigned>{200, 200});
    REQUIRE(descriptor_of(world, "3") == hello("demo/web:3"));
    CHECK(number(world.app("hello"), "generation") == 4);
    CHECK(descriptor_of(world, "4") == hello("demo/web:2"));
}

TEST_CASE("a trial of an undo shows what would happen and changes nothing", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.apply("hello", hello("demo/web:2"));
    const auto commits = world.store->commits();

    const auto response = world.send(http::Method::post, "/api/v1/apps/hello/rollback?dry_run");

    REQUIRE(response.status == 200);
    CHECK(text(json::parse(response.body), "result") == "dry_run");
    CHECK(world.store->commits() == commits);
    CHECK(number(world.app("hello"), "generation") == 2);
}

TEST_CASE("an undo that cannot be stored leaves the generation and the history that were", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.apply("hello", hello("demo/web:2"));
    const auto before = world.get("/api/v1/apps/hello/generations");
    world.store->failure = Error{store_errc::full, "the disk is full", "free some space"};

    CHECK(undo(world).status == 507);
    world.settle();

    CHECK(world.get("/api/v1/apps/hello/generations") == before);
}
