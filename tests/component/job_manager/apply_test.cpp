// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

std::string text(const json::value& value, std::string_view key) {
    return std::string(value.at(key).as_string());
}

}  // namespace

TEST_CASE("a descriptor is accepted, placed and offered once durable", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});

    const auto response = world.apply("hello", hello());

    REQUIRE(response.status == 201);
    const auto body = json::parse(response.body);
    CHECK(text(body, "result") == "created");
    CHECK(body.at("app").at("generation").to_number<int>() == 1);
    CHECK(text(body.at("app"), "state") == "deploying");
    CHECK(response.headers.contains("ETag"));
    REQUIRE(world.fleet().plan("edge-1").size() == 2);
    const auto& web = world.desired("edge-1", "web");
    CHECK(web.app == "hello");
    CHECK(web.run);
    CHECK(web.manifests.size() == 1);
    CHECK(web.environment.at("ICOS_APP_COMPONENT") == "web");
    CHECK(web.environment.at("ICOS_APP_INSTANCE") == text(body.at("app"), "id"));
    CHECK(web.aliases.at("web") == std::vector<std::string>{"web", "web.web"});
    CHECK(world.fleet().plans.at(TargetId{"node-edge-1"})->version <= world.store->last_version());
    CHECK(world.happened("app.accepted hello"));
    CHECK(world.happened("placement.decided hello/web"));
    CHECK(world.event("app.accepted", "hello").actor == "token:admin");
}

TEST_CASE("nothing is offered or published before the change is durable", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.settle();
    world.store->delay = Duration(5000);
    const std::size_t before = world.fleet().offers;
    std::optional<http::Response> answer;
    TaskGroup group(world.runtime);
    group.spawn("test", [](World& w, std::optional<http::Response>& out) -> Task<> {
        out = co_await w.router->dispatch(w.request(http::Method::put, "/api/v1/apps/hello", hello()));
    }(world, answer));

    world.runtime.advance(Duration(4000));
    CHECK_FALSE(answer);
    CHECK(world.fleet().offers == before);
    world.runtime.advance(Duration(2000));
    REQUIRE(answer);
    CHECK(answer->status == 201);
    CHECK(world.fleet().offers == before + 1);
}

TEST_CASE("the same text again changes nothing and restarts nothing", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.run_all("edge-1");
    const std::string digest = world.fleet().digest("edge-1");
    const auto commits = world.store->commits();

    const auto response = world.apply("hello", hello());

    CHECK(response.status == 200);
    CHECK(text(json::parse(response.body), "result") == "unchanged");
    CHECK(json::parse(response.body).at("app").at("generation").to_number<int>() == 1);
    CHECK(world.fleet().digest("edge-1") == digest);
    CHECK(world.store->commits() == commits);
}

TEST_CASE("a new generation changes the digest of what changed and of nothing else", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1"), ready_node("edge-2")});
    world.apply("hello", hello());
    const auto find = [&](const std::string& component) -> agent::DesiredPlacement {
        for (const char* node : {"edge-1", "edge-2"}) {
            for (const auto& [id, placement] : world.fleet().plan(node)) {
                if (placement.component == component) return placement;
            }
        }
        throw std::runtime_error("not placed: " + component);
    };
    const auto web = find("web");
    const auto api = find("api");

    const auto response = world.apply("hello", hello("demo/web:2"));

    CHECK(response.status == 200);
    CHECK(text(json::parse(response.body), "result") == "updated");
    CHECK(find("web").placement == web.placement);
    CHECK(find("web").digest != web.digest);
    CHECK(find("web").generation == 2);
    CHECK(find("api").placement == api.placement);
    CHECK(find("api").digest == api.digest);
}

TEST_CASE("the order in which a descriptor is written does not restart anything", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    const std::string one =
        manifest_text("web", "demo/web:1", "          user: \"1000\"\n          tty: true\n");
    const std::string other =
        "  - name: web\n    manifest:\n      services:\n        web:\n          tty: true\n          user: "
        "\"1000\"\n          image: demo/web:1\n";
    world.apply("hello", descriptor_text("hello", component_text("web"), one));
    const std::string digest = world.desired("edge-1", "web").digest;

    world.apply("hello", descriptor_text("hello", component_text("web"), other));

    CHECK(world.desired("edge-1", "web").generation == 2);
    CHECK(world.desired("edge-1", "web").digest == digest);
}

TEST_CASE("a component that is no longer in the descriptor is removed", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.run_all("edge-1");
    const PlacementId api = world.desired("edge-1", "api").placement;

    world.apply("hello", descriptor_text("hello", component_text("web"), manifest_text("web", "demo/web:1")));

    CHECK(world.fleet().plan("edge-1").size() == 1);
    CHECK(world.app("hello").at("components").as_array().size() == 2);
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, {api});
    world.settle();
    CHECK(world.app("hello").at("components").as_array().size() == 1);
    CHECK(world.state("hello") == "running");
    CHECK(world.happened("component.removed hello/api"));
}

TEST_CASE(
    "a descriptor with errors is refused with all of its diagnostics and leaves nothing", "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1")});

    const auto response = world.apply(
        "hello", "name: hello\ncomponents:\n  - name: web\n    type: docker\n    manifests: [{name: gone}]\n"
    );

    CHECK(response.status == 422);
    const auto body = json::parse(response.body);
    CHECK(text(body, "code") == "descriptor.invalid");
    CHECK(body.at("diagnostics").as_array().size() >= 1);
    CHECK(world.store->rows().empty());
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello").status == 404);
}

TEST_CASE("two components that claim one host port are an error of the descriptor", "[job_manager]") {
    World world;
    const std::string ports = "          ports: [\"8080:80\"]\n";

    const auto response = world.apply(
        "hello",
        descriptor_text(
            "hello",
            component_text("web") + component_text("api"),
            manifest_text("web", "a:1", ports) + manifest_text("api", "b:1", ports)
        )
    );

    CHECK(response.status == 422);
}

TEST_CASE("the name of the request must be the descriptor's", "[job_manager]") {
    World world;

    const auto response = world.apply("other", hello());

    CHECK(response.status == 422);
    CHECK(text(json::parse(response.body), "code") == "app.name_mismatch");
}

TEST_CASE("a dry run shows where everything would go and changes nothing", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.settle();
    const auto offers = world.fleet().offers;

    const auto response = world.send(http::Method::put, "/api/v1/apps/hello?dry_run", hello());

    REQUIRE(response.status == 200);
    const auto body = json::parse(response.body);
    CHECK(text(body, "result") == "dry_run");
    const auto& placement = body.at("app").at("components").at(0).at("placements").at(0);
    CHECK(text(placement, "node") == "edge-1");
    CHECK(text(placement, "id").empty());
    REQUIRE(body.at("explanations").as_array().size() == 2);
    CHECK(text(body.at("explanations").at(0), "node") == "edge-1");
    CHECK(world.store->rows().empty());
    CHECK(world.store->recorded().empty());
    CHECK(world.fleet().offers == offers);
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello").status == 404);
}

TEST_CASE("If-Match refuses a change of what has moved on", "[job_manager]") {
    World world;
    const auto created = world.apply("hello", hello());
    auto stale = world.request(http::Method::put, "/api/v1/apps/hello", hello("demo/web:2"));
    stale.headers["If-Match"] = created.headers.at("ETag");
    auto again = world.request(http::Method::put, "/api/v1/apps/hello", hello("demo/web:3"));
    again.headers["If-Match"] = created.headers.at("ETag");

    CHECK(world.send(stale).status == 200);
    const auto refused = world.send(again);

    CHECK(refused.status == 412);
    CHECK(text(json::parse(refused.body), "code") == "app.changed");
}

TEST_CASE("warnings of an accepted descriptor come with the answer", "[job_manager]") {
    World world;
    std::string written = worker("big", "memory: 200Mb");

    const auto body = json::parse(world.apply("big", written).body);

    CHECK_FALSE(body.at("warnings").as_array().empty());
}

TEST_CASE("the applied text is given back byte for byte", "[job_manager]") {
    World world;
    const std::string written = "# a comment\n" + hello();
    world.apply("hello", written);

    const auto response = world.send(http::Method::get, "/api/v1/apps/hello/descriptor");

    CHECK(response.content_type == "application/yaml");
    CHECK(response.body == written);
}

TEST_CASE("validate checks without storing", "[job_manager]") {
    World world;

    const auto good = json::parse(world.send(http::Method::post, "/api/v1/validate", hello()).body);
    const auto bad = json::parse(world.send(http::Method::post, "/api/v1/validate", "name: [").body);

    CHECK(good.at("valid").as_bool());
    CHECK_FALSE(bad.at("valid").as_bool());
    CHECK_FALSE(bad.at("diagnostics").as_array().empty());
    CHECK(world.store->rows().empty());
}

TEST_CASE("only the last generations are kept", "[job_manager]") {
    World world;
    for (int i = 1; i <= 13; ++i) world.apply("hello", hello("demo/web:" + std::to_string(i)));

    std::size_t revisions = 0;
    for (const auto& [key, row] : world.store->rows()) revisions += key.first == "app_revision" ? 1U : 0U;
    CHECK(revisions == 10);
    CHECK(world.app("hello").at("generation").to_number<int>() == 13);
}

TEST_CASE("fifty applications at once never over-commit a node", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1"), ready_node("edge-2"), ready_node("edge-3")});
    world.settle();
    std::vector<unsigned> statuses;
    TaskGroup group(world.runtime);
    for (int i = 0; i < 50; ++i) {
        const std::string name = "app-" + std::to_string(i);
        group.spawn("test", [](World& w, std::string n, std::vector<unsigned>& out) -> Task<> {
            auto response = co_await w.router->dispatch(
                w.request(http::Method::put, "/api/v1/apps/" + n, worker(n, "memory: 1Gi, cpu: 0.3"))
            );
            out.push_back(response.status);
        }(world, name, statuses));
    }
    for (int i = 0; i < 20; ++i) world.settle();

    CHECK(std::count(statuses.begin(), statuses.end(), 201U) == 50);
    std::size_t placed = 0;
    for (const char* node : {"edge-1", "edge-2", "edge-3"}) {
        CHECK(world.fleet().plan(node).size() <= 8);
        placed += world.fleet().plan(node).size();
    }
    CHECK(placed == 24);
    const auto* claims = world.ports->find<ClaimsView>();
    REQUIRE(claims != nullptr);
    for (const auto& [node, sum] : claims->current()) {
        CHECK(sum.memory_bytes <= 8 * kGi);
        CHECK(sum.cpu_milli <= 4000);
    }
}
