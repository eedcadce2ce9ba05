// SPDX-License-Identifier: Apache-2.0
#include "icos/descriptor/descriptor.hpp"
#include "job_manager/desired.hpp"
#include "world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;

namespace {

const std::string kSecret = "correct horse battery staple";

/// hello with `web`, which reads a secret, and `api`, which reads none.
std::string hello_with(const std::string& secret, const std::string& api_image = "demo/api:1") {
    return descriptor_text(
        "hello",
        component_text("web") + component_text("api"),
        manifest_text(
            "web", "demo/web:1", "          secrets: [db]\n      secrets: {db: {content: " + secret + "}}\n"
        ) + manifest_text("api", api_image)
    );
}

std::string text(const json::value& value, std::string_view key) {
    return std::string(value.at(key).as_string());
}

std::string code(const http::Response& response) {
    return text(json::parse(response.body), "code");
}

http::Response get_as(World& world, http::Role role, const std::string& target) {
    auto request = world.request(http::Method::get, target);
    request.caller = {"token:someone", role, {}};
    return world.send(std::move(request));
}

http::Response put_credential(World& world, const std::string& name, const std::string& password) {
    const json::object body{
        {"registry", "registry.example:5000"}, {"username", "edge"}, {"password", password}
    };
    return world.send(http::Method::put, "/api/v1/credentials/" + name, json::serialize(body));
}

std::string hello_pulling_with(const std::string& credential) {
    return descriptor_text(
        "hello",
        component_text("web") + "    x-icos: {registryCredentials: [" + credential + "]}\n" +
            component_text("api"),
        manifest_text("web", "registry.example:5000/demo/web:1") + manifest_text("api", "demo/api:1")
    );
}

}  // namespace

TEST_CASE("peers 33: a secret reaches the node and no answer, event or explanation", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    std::string said = world.apply("hello", hello_with(kSecret)).body;
    world.run_all("edge-1");

    CHECK(world.desired("edge-1", "web").manifests.at(0).compose.find(kSecret) != std::string::npos);
    for (const char* target :
         {"/api/v1/apps",
          "/api/v1/apps/hello",
          "/api/v1/apps/hello/descriptor",
          "/api/v1/apps/hello/generations",
          "/api/v1/apps/hello/generations/1",
          "/api/v1/apps/hello/explain",
          "/api/v1/components",
          "/api/v1/placements",
          "/api/v1/events"}) {
        const auto response = world.send(http::Method::get, target);
        INFO(target);
        CHECK(response.status == 200);
        CHECK(response.body.find("battery") == std::string::npos);
    }
    said += world.apply("hello", hello_with(kSecret)).body;
    said += world.send(http::Method::put, "/api/v1/apps/hello?dry_run", hello_with(kSecret + "2")).body;
    CHECK(said.find("battery") == std::string::npos);
    for (const Event& event : world.store->recorded())
        CHECK((event.message + event.data).find("battery") == std::string::npos);
    // Rows that the store does not seal.
    for (const auto& [key, row] : world.store->rows()) {
        if (!is_sealed_kind(row.kind)) CHECK(row.body.find("battery") == std::string::npos);
    }
}

TEST_CASE(
    "peers 33: an administrator may read a secret, and that is recorded; nobody else may", "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello_with(kSecret));

    for (const char* target :
         {"/api/v1/apps/hello/descriptor?reveal", "/api/v1/apps/hello/generations/1?reveal"}) {
        INFO(target);
        const std::size_t before = world.store->recorded().size();
        const auto refused = get_as(world, http::Role::writer, target);
        CHECK(refused.status == 403);
        CHECK(code(refused) == "auth.forbidden");
        CHECK(world.store->recorded().size() == before);

        const auto shown = get_as(world, http::Role::admin, target);
        CHECK(shown.status == 200);
        CHECK(shown.body == hello_with(kSecret));
        REQUIRE(world.store->recorded().size() == before + 1);
        const Event& event = world.event("app.revealed", "hello");
        CHECK(event.actor == "token:someone");
        CHECK(event.layer == Layer::security);
        CHECK(event.message.find("battery") == std::string::npos);
    }
}

TEST_CASE("a secret is not revealed while that cannot be recorded", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello_with(kSecret));
    world.store->failure = Error{store_errc::full, "no space"};

    const auto response = get_as(world, http::Role::admin, "/api/v1/apps/hello/descriptor?reveal");

    CHECK(response.status == 507);
    CHECK(response.body.find("battery") == std::string::npos);
}

TEST_CASE("peers 33: the digest on a container does not let a secret be guessed", "[job_manager]") {
    World one;
    World other;
    other.runtime.advance(Duration(1));
    for (World* world : {&one, &other}) {
        // Another random key: the two worlds must not draw the same.
        if (world == &other) static_cast<void>(random_hex(world->runtime, 7));
        world->fleet().set({ready_node("edge-1")});
        world->apply("hello", hello_with(kSecret));
        world->settle();
    }
    CHECK(one.desired("edge-1", "web").digest != other.desired("edge-1", "web").digest);
    CHECK(one.desired("edge-1", "web").digest.size() == 64);
}

TEST_CASE(
    "a changed secret is a new content of its component alone, an unchanged one of none", "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello_with("first"));
    world.run_all("edge-1");
    const std::string web = world.desired("edge-1", "web").digest;
    const std::string api = world.desired("edge-1", "api").digest;

    world.apply("hello", hello_with("second"));
    world.run_all("edge-1");
    CHECK(world.desired("edge-1", "web").digest != web);
    CHECK(world.desired("edge-1", "api").digest == api);

    const std::string changed = world.desired("edge-1", "web").digest;
    world.reboot();
    world.apply("hello", hello_with("second", "demo/api:2"));
    world.settle();
    CHECK(world.desired("edge-1", "web").digest == changed);
    CHECK(world.desired("edge-1", "api").digest != api);
}

TEST_CASE("content that an earlier release hashed without a key is not restarted", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello_with("first"));
    world.run_all("edge-1");
    // As an earlier release left it: the digest of the placement's row is SHA-256 over the same content.
    const auto parsed = descriptor::parse(hello_with("first"));
    REQUIRE(parsed.application);
    job_manager::App app;
    app.id = AppId{text(world.app("hello"), "id")};
    const std::string old = job_manager::component_digest(
        app, *job_manager::find_component(*parsed.application, "web"), descriptor::Engine::docker, {}
    );
    const std::string id = world.desired("edge-1", "web").placement.value;
    world.halt();
    const auto rows = world.store->rows();
    Row row = rows.at({"placement", id});
    json::value body = json::parse(row.body);
    body.as_object()["digest"] = old;
    row.body = json::serialize(body);
    world.store->put(row);
    world.boot();
    REQUIRE(world.desired("edge-1", "web").digest == old);

    world.apply("hello", hello_with("first", "demo/api:2"));
    world.settle();
    CHECK(world.desired("edge-1", "web").digest == old);
    CHECK(world.desired("edge-1", "web").generation == 2);

    world.apply("hello", hello_with("second", "demo/api:2"));
    world.settle();
    CHECK(world.desired("edge-1", "web").digest != old);
}

TEST_CASE(
    "peers 17: a registry credential goes to the nodes that pull with it, and is never shown", "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1")});
    const auto stored = put_credential(world, "site", "hunter2");
    CHECK(stored.status == 200);
    CHECK(stored.body.find("hunter2") == std::string::npos);
    CHECK(world.apply("hello", hello_pulling_with("site")).status == 201);
    world.run_all("edge-1");

    const auto& web = world.desired("edge-1", "web");
    REQUIRE(web.credentials.size() == 1);
    CHECK(web.credentials[0] == agent::RegistryCredential{"registry.example:5000", "edge", "hunter2"});
    CHECK(world.desired("edge-1", "api").credentials.empty());
    const auto listed = world.send(http::Method::get, "/api/v1/credentials").body;
    CHECK(listed.find("hunter2") == std::string::npos);
    const json::value item = json::parse(listed).at("items").as_array().at(0);
    CHECK(text(item, "name") == "site");
    CHECK(text(item, "registry") == "registry.example:5000");
    CHECK(text(item, "username") == "edge");
    for (const Event& event : world.store->recorded())
        CHECK((event.message + event.data).find("hunter2") == std::string::npos);
    CHECK(world.event("credential.set", "site").actor == "token:admin");
}

TEST_CASE(
    "peers 17: a renewed password is offered to the node at once and changes no content", "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1"), ready_node("edge-2")});
    put_credential(world, "site", "first");
    world.apply("hello", hello_pulling_with("site"));
    world.run_all("edge-1");
    const std::string node = world.fleet().plan("edge-1").empty() ? "edge-2" : "edge-1";
    const std::string content = world.desired(node, "web").digest;
    const std::string plan = world.fleet().digest(node);

    put_credential(world, "site", "second");
    world.settle();

    CHECK(world.desired(node, "web").credentials.at(0).password == "second");
    CHECK(world.desired(node, "web").digest == content);
    CHECK(world.fleet().digest(node) != plan);

    world.reboot();
    CHECK(world.desired(node, "web").credentials.at(0).password == "second");
}

TEST_CASE(
    "peers 17: an application that names a credential nobody stored is refused and says how to store it",
    "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1")});

    const auto refused = world.apply("hello", hello_pulling_with("site"));

    CHECK(refused.status == 422);
    const json::value problem = json::parse(refused.body);
    CHECK(text(problem, "code") == "descriptor.invalid");
    CHECK(text(problem, "detail").find("\"site\"") != std::string::npos);
    CHECK(text(problem, "hint").find("icos credential set site") != std::string::npos);
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello").status == 404);
}

TEST_CASE("a credential goes only when no application uses it", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    put_credential(world, "site", "hunter2");
    world.apply("hello", hello_pulling_with("site"));
    world.run_all("edge-1");
    const std::string path = "/api/v1/credentials/site";

    CHECK(code(world.send(http::Method::del, path)) == "app.credential_in_use");

    world.apply("hello", hello());
    world.run_all("edge-1");
    CHECK(world.send(http::Method::del, path).status == 204);
    CHECK(code(world.send(http::Method::del, path)) == "app.no_such_credential");
    for (const auto& [key, row] : world.store->rows()) CHECK(row.kind != "registry_credential");
}

TEST_CASE("a credential that cannot be used is refused without repeating the password", "[job_manager]") {
    World world;
    const std::string path = "/api/v1/credentials/site";
    for (const char* body :
         {"",
          "hunter2",
          R"({"registry": "https://r.example/", "username": "u", "password": "hunter2"})",
          R"({"registry": "r.example", "username": "", "password": "hunter2"})",
          R"({"registry": "r.example", "username": "u", "password": ["hunter2"]})",
          R"({"registry": "r.example", "username": "u", "password": "hunter2", "pasword": "x"})"}) {
        INFO(body);
        const auto response = world.send(http::Method::put, path, body);
        CHECK(response.status == 400);
        CHECK(response.body.find("hunter2") == std::string::npos);
    }
    const auto bad_name = world.send(
        http::Method::put,
        "/api/v1/credentials/Not_A_Name",
        R"({"registry": "r.example", "username": "u", "password": "hunter2"})"
    );
    CHECK(bad_name.status == 400);
    CHECK(world.store->rows().empty());
}
