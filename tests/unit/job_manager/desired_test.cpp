// SPDX-License-Identifier: Apache-2.0
#include "job_manager/desired.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::job_manager;
using descriptor::Component;
using descriptor::Engine;
using descriptor::Manifest;

namespace {

Manifest compose(const std::string& name, const std::string& text) {
    return {name, Engine::docker, text, text, 1};
}

Component component(const std::string& name, std::vector<Manifest> manifests) {
    Component made;
    made.name = name;
    made.manifests = std::move(manifests);
    return made;
}

App app(std::string id = "a1") {
    App made;
    made.id = AppId{std::move(id)};
    made.name = "hello";
    return made;
}

std::string digest(const Component& component) {
    return component_digest(app(), component, Engine::docker, {});
}

}  // namespace

TEST_CASE("a digest does not depend on the order of members or manifests", "[job_manager]") {
    const auto a = component(
        "web", {compose("m", R"({"services":{"x":{"image":"i","tty":true}}})"), compose("n", "{}")}
    );
    const auto b = component(
        "web", {compose("n", "{ }"), compose("m", R"({"services":{"x":{"tty":true,"image":"i"}}})")}
    );

    CHECK(digest(a) == digest(b));
    CHECK(digest(a).size() == 64);
}

TEST_CASE("a digest changes with everything that a container would notice", "[job_manager]") {
    const auto base = component("web", {compose("m", R"({"services":{"x":{"command":["a","b"]}}})")});
    const std::string reference = digest(base);
    auto changed = base;

    SECTION("content") {
        changed.manifests[0].compose = R"({"services":{"x":{"command":["a","c"]}}})";
    }
    SECTION("order of a list") {
        changed.manifests[0].compose = R"({"services":{"x":{"command":["b","a"]}}})";
    }
    SECTION("name of a manifest") {
        changed.manifests[0].name = "n";
    }
    SECTION("one more manifest") {
        changed.manifests.push_back(compose("n", "{}"));
    }
    SECTION("name of the component") {
        changed.name = "api";
    }
    SECTION("pull rule") {
        changed.options.pull = "always";
    }
    CHECK(digest(changed) != reference);
}

TEST_CASE("a digest does not change with what a container would not notice", "[job_manager]") {
    const auto base = component("web", {compose("m", "{}")});
    auto other = base;
    other.manifests.push_back({"k", Engine::kubernetes, "", "kind: Pod", 9});
    other.line = 77;
    other.requirements.memory = descriptor::Quantity{1, "1"};
    other.options.pull = "missing";

    CHECK(digest(base) == digest(other));
    CHECK(component_digest(app("a2"), base, Engine::docker, {}) != digest(base));
}

TEST_CASE("services resolve by their component always, and bare where they are unique", "[job_manager]") {
    descriptor::Application application;
    application.components = {
        component("front", {compose("page", R"({"services":{"web":{},"cache":{}}})")}),
        component("back", {compose("backend", R"({"services":{"cache":{}}})")}),
    };

    const auto front = service_aliases(application, application.components[0]);
    const auto back = service_aliases(application, application.components[1]);

    CHECK(front.at("web") == std::vector<std::string>{"web", "web.front"});
    CHECK(front.at("cache") == std::vector<std::string>{"cache.front"});
    CHECK(back.at("cache") == std::vector<std::string>{"cache.back", "backend"});
}

TEST_CASE("a manifest's name is no alias where a service has that name", "[job_manager]") {
    descriptor::Application application;
    application.components = {
        component("a", {compose("db", R"({"services":{"store":{}}})")}),
        component("b", {compose("other", R"({"services":{"db":{}}})")}),
    };

    CHECK(
        service_aliases(application, application.components[0]).at("store") ==
        std::vector<std::string>{"store", "store.a"}
    );
}

TEST_CASE("what a node is to run carries the instance and its content", "[job_manager]") {
    descriptor::Application application;
    application.components = {component("web", {compose("m", R"({"services":{"web":{}}})")})};
    application.components[0].options.health_timeout_ms = 5000;
    App made = app();
    made.project = "red";
    made.revisions[3] = std::make_shared<const descriptor::Application>(application);
    made.generation = 3;
    Placement placement;
    placement.id = PlacementId{"p1"};
    placement.component = "web";
    placement.replica = 2;
    placement.generation = 3;
    placement.digest = "d";

    const auto desired = desired_placement(made, placement);

    CHECK(desired.placement == placement.id);
    CHECK(desired.project == "red");
    CHECK(desired.replica == 2);
    CHECK(desired.generation == 3);
    CHECK(desired.digest == "d");
    CHECK(desired.run);
    CHECK(desired.health_timeout_ms == 5000);
    CHECK(
        desired.environment ==
        std::map<std::string, std::string>{{"ICOS_APP_COMPONENT", "web"}, {"ICOS_APP_INSTANCE", "a1"}}
    );
    made.desired = Desired::stopped;
    CHECK_FALSE(desired_placement(made, placement).run);
}

TEST_CASE("demands are the same unless requirements, ports or neighbours changed", "[job_manager]") {
    descriptor::Application before;
    before.components = {component("web", {compose("m", "{}")}), component("api", {})};
    descriptor::Application after = before;
    auto& web = after.components[0];

    web.manifests[0].compose = R"({"services":{}})";
    CHECK(same_demands(before, after, "web"));
    SECTION("memory") {
        web.requirements.memory = descriptor::Quantity{5, "5"};
    }
    SECTION("cpu") {
        web.requirements.cpu = descriptor::Quantity{5, "5m"};
    }
    SECTION("architecture") {
        web.requirements.architecture = "arm64";
    }
    SECTION("devices") {
        web.requirements.devices = {"gpu"};
    }
    SECTION("label") {
        web.requirements.node_label = descriptor::NodeLabel{"site", {"lab"}};
    }
    SECTION("host ports") {
        web.host_ports = {{"", 80, "tcp"}};
    }
    SECTION("type") {
        web.type = descriptor::ComponentType::multiple;
    }
    SECTION("communication") {
        after.edges = {{1, 0}};
    }
    SECTION("gone") {
        after.components.erase(after.components.begin());
    }
    CHECK_FALSE(same_demands(before, after, "web"));
}
