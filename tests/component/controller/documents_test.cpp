// SPDX-License-Identifier: Apache-2.0
// What the documents say of routes and configuration keys is what the program has.
#include "icos/bus/bus.hpp"
#include "icos/http/router.hpp"
#include "icos/runtime/application.hpp"
#include "icos/store/disk.hpp"
#include "manual_runtime.hpp"
#include "memory_store.hpp"
#include "modules.hpp"
#include "openapi.hpp"
#include "sections.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <set>

using namespace icos;

namespace {

std::string file(const std::string& path) {
    std::ifstream in(std::string(ICOS_SOURCE_DIR) + "/" + path, std::ios::binary);
    REQUIRE(in);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// "GET /api/v1/apps read" of every route of the composed controller.
std::set<std::string> routes() {
    test::ManualRuntime runtime;
    Bus bus(runtime);
    test::MemoryStore store(runtime);
    const auto disk = make_posix_disk();
    http::Router router;
    const config::Loaded loaded = config::load(controller::sections(), {});
    REQUIRE(loaded.config);
    Application application(
        {runtime, bus, store, *disk, router, *loaded.config, "/nowhere", "id", "name", "host"}
    );
    std::vector<std::string> names;
    for (const ModuleDescriptor& module : controller::modules()) names.emplace_back(module.name);
    const auto order = start_order(controller::modules(), names);
    REQUIRE(order.has_value());
    REQUIRE(application.configure(*order));
    add_system_routes(router, application, "0", "id", "name", controller::openapi(), [] {
        return std::string();
    });
    std::set<std::string> all;
    for (const auto& route : router.list()) {
        all.insert(route.method + " " + route.pattern + " " + std::string(http::to_string(route.access)));
    }
    return all;
}

}  // namespace

TEST_CASE("the OpenAPI document lists every route with its access, and no other", "[controller][openapi]") {
    std::set<std::string> documented;
    const auto document = boost::json::parse(controller::openapi());
    for (const auto& path : document.at("paths").as_object()) {
        for (const auto& operation : path.value().as_object()) {
            std::string method(operation.key());
            std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) {
                return static_cast<char>(std::toupper(c));
            });
            documented.insert(
                method + " " + std::string(path.key()) + " " +
                std::string(operation.value().at("x-access").as_string())
            );
        }
    }

    CHECK(document.at("openapi").as_string() == "3.1.0");
    CHECK(documented == routes());
}

TEST_CASE("every schema that the OpenAPI document refers to is in it", "[controller][openapi]") {
    const std::string text(controller::openapi());
    const auto document = boost::json::parse(text);
    const auto& schemas = document.at("components").at("schemas").as_object();
    const std::string prefix = "#/components/schemas/";

    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
        const std::string name = text.substr(at + prefix.size(), text.find('"', at) - at - prefix.size());
        CAPTURE(name);
        CHECK(schemas.contains(name));
    }
}

TEST_CASE("config/controller.yaml shows every key with its default", "[controller][config]") {
    CHECK(
        file("config/controller.yaml") ==
        config::render_default_file(controller::sections(), "icos-controller")
    );
}

TEST_CASE("docs/configuration.md describes every key", "[controller][config]") {
    CHECK(
        file("docs/configuration.md") ==
        config::render_reference(controller::sections(), "Configuration of icos-controller")
    );
}
