// SPDX-License-Identifier: Apache-2.0
#include "controller_world.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

using namespace icos;
using icos::test::Behaviour;
using icos::test::ControllerWorld;

namespace {

http::Response get(ControllerWorld& world, std::string path, http::Role role = http::Role::none) {
    http::Request request;
    request.path = std::move(path);
    request.caller.role = role;
    return test::run(world.runtime, world.router.dispatch(std::move(request)));
}

void add_routes(ControllerWorld& world) {
    add_system_routes(world.router, world.application, "1.2.3", "id-1", "test", R"({"openapi":"3.1.0"})", [] {
        return std::string("icos_more 2\n");
    });
}

}  // namespace

TEST_CASE("a controller is alive before it is ready", "[controller][http]") {
    ControllerWorld world;
    const std::vector<ModuleDescriptor> modules{world.module("a")};
    add_routes(world);
    REQUIRE(world.application.configure(world.pointers(modules)));

    CHECK(get(world, "/healthz").status == 200);
    CHECK(get(world, "/readyz").status == 503);
    REQUIRE(test::run(world.runtime, world.application.start()));
    CHECK(get(world, "/readyz").status == 200);
}

TEST_CASE("a failing module fails the health and is named with its reason", "[controller][http]") {
    ControllerWorld world;
    const std::vector<ModuleDescriptor> modules{
        world.module("good"), world.module("bad", {}, Behaviour{.health = {false, "disk full"}})
    };
    add_routes(world);
    REQUIRE(world.application.configure(world.pointers(modules)));
    REQUIRE(test::run(world.runtime, world.application.start()));

    const http::Response response = get(world, "/healthz");

    CHECK(response.status == 503);
    const boost::json::value body = boost::json::parse(response.body);
    CHECK(body.at("modules").at("good").at("ok").as_bool());
    CHECK_FALSE(body.at("modules").at("bad").at("ok").as_bool());
    CHECK(body.at("modules").at("bad").at("detail").as_string() == "disk full");
}

TEST_CASE("version and interface description are open, metrics want a reader", "[controller][http]") {
    ControllerWorld world;
    const std::vector<ModuleDescriptor> modules{world.module("a"), world.module("b")};
    add_routes(world);
    REQUIRE(world.application.configure(world.pointers(modules)));

    const boost::json::value version = boost::json::parse(get(world, "/api/v1/version").body);
    CHECK(version.at("version").as_string() == "1.2.3");
    CHECK(version.at("controller_id").as_string() == "id-1");
    CHECK(version.at("name").as_string() == "test");
    CHECK(version.at("modules").as_array().size() == 2);
    CHECK(get(world, "/openapi.json").body == R"({"openapi":"3.1.0"})");
    CHECK(get(world, "/metrics").status == 401);
    const http::Response metrics = get(world, "/metrics", http::Role::reader);
    CHECK(metrics.status == 200);
    CHECK(metrics.content_type.starts_with("text/plain"));
    CHECK(metrics.body == "icos_a_up 1\nicos_b_up 1\nicos_more 2\n");
}
