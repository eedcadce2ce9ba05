// SPDX-License-Identifier: Apache-2.0
// The snippets of the specification, D3.3 section 3, and what is to be said about them.
#include "places.hpp"

#include <catch2/catch.hpp>

using namespace icos::descriptor;
using test::first;
using test::places;
using Places = std::vector<std::string>;

namespace {

std::string two_components(
    std::string_view type_a, std::string_view type_b, std::string_view refs_a, std::string_view refs_b
) {
    return fmt::format(
        "name: my application\ndescription: \"The description of application\"\ncomponents:\n  - name: "
        "component-1\n    type: {}\n    manifests:\n{}  - name: component-2\n    type: {}\n    "
        "manifests:\n{}",
        type_a,
        refs_a,
        type_b,
        refs_b
    );
}

constexpr std::string_view kBoth1 =
    "      - name: comp-1-manifest-kubernetes\n      - name: comp-1-manifest-docker\n";
constexpr std::string_view kBoth2 =
    "      - name: comp-2-manifest-kubernetes\n      - name: comp-2-manifest-docker\n";
constexpr std::string_view kOne1 = "      - name: comp-1-manifest\n";
constexpr std::string_view kOne2 = "      - name: comp-2-manifest\n";

std::string pod(std::string_view name) {
    return fmt::format(
        "  - {{name: {0}, manifest: {{apiVersion: v1, kind: Pod, metadata: {{name: {0}}}}}}}\n", name
    );
}
std::string compose(std::string_view name) {
    return fmt::format("  - {{name: {}, manifest: {{services: {{s: {{image: x}}}}}}}}\n", name);
}

/// A policy list as it stands in a component.
std::string with_policies(std::string_view policies) {
    return fmt::format(
        "{}name: a\ncomponents: [{{name: c, type: docker, manifests: [{{name: m}}]}}]\nmanifests:\n{}",
        policies,
        compose("m")
    );
}

}  // namespace

TEST_CASE("snippet 1 lacks manifests, its empty dependencies are fine", "[descriptor][snippets]") {
    const std::string text =
        "name: uc4-app-emds\ndescription: \"the description\"\ncomponents:\n  - name: house-component\n    "
        "type: docker\n    manifests:\n"
        "      - name: house-manifest\ndependencies:\n  # producer/consumer components "
        "information\nmanifests:\n  # List of manifests in the specified format\n";

    CHECK(places(text) == Places{"E015 10:1"});
    CHECK(first(text, "I018").code.empty());
}

TEST_CASE("snippets 2 and 3 lack manifests and have a name with a space", "[descriptor][snippets]") {
    for (const std::string_view type : {"kubernetes", "docker"}) {
        CHECK(places(two_components(type, type, kOne1, kOne2)) == Places{"E015 1:1", "W012 1:7"});
    }
}

TEST_CASE("snippets 4 and 5 are valid once they have manifests", "[descriptor][snippets]") {
    const std::string four = two_components("kubernetes", "multiple", kOne1, kBoth2);
    const std::string five = two_components("multiple", "multiple", kBoth1, kBoth2);

    CHECK(places(four) == Places{"E015 1:1", "W012 1:7"});
    CHECK(places(five) == Places{"E015 1:1", "W012 1:7"});
    CHECK(
        places(
            four + "manifests:\n" + pod("comp-1-manifest") + pod("comp-2-manifest-kubernetes") +
            compose("comp-2-manifest-docker")
        ) == Places{"W012 1:7"}
    );
    CHECK(
        places(
            five + "manifests:\n" + pod("comp-1-manifest-kubernetes") + compose("comp-1-manifest-docker") +
            pod("comp-2-manifest-kubernetes") + compose("comp-2-manifest-docker")
        ) == Places{"W012 1:7"}
    );
}

TEST_CASE("snippet 6 asks for two replicas by node label", "[descriptor][snippets]") {
    const std::string text =
        "name: my_application\ndescription: \"my app description\"\ncomponents:\n\n- name: component-1\n  "
        "type: kubernetes\n  manifests:\n    - name: comp-1-manifest\n"
        "  requirements:\n    architecture: intel\n    cpu: 0.5\n    memory: 200Mi\n    nodelabel:\n      "
        "key: node-label-key\n      values:\n"
        "        - node-label-robot1\n        - node-label-robot2\n    devices: squat.ai/video\n\n";

    const Parsed parsed = test::parsed(text + "manifests:\n" + pod("comp-1-manifest"));

    CHECK(places(text) == Places{"E015 1:1", "W012 1:7"});
    REQUIRE(parsed.application.has_value());
    const Requirements& requirements = parsed.application->components[0].requirements;
    CHECK(requirements.architecture == "x86_64");
    CHECK(requirements.cpu->value == 500);
    CHECK(requirements.memory->value == 209'715'200);
    CHECK(requirements.memory->text == "200Mi");
    CHECK(requirements.devices == std::vector<std::string>{"squat.ai/video"});
    CHECK(
        requirements.node_label->values == std::vector<std::string>{"node-label-robot1", "node-label-robot2"}
    );
    CHECK(parsed.application->name_space == "my-application");
}

TEST_CASE("snippet 7 is two fragments in one text", "[descriptor][snippets]") {
    const std::string text =
        "manifests:\n  - name: comp-1-manifest-1\n    manifest:\n      apiVersion: apps/v1\n      kind: "
        "Deployment\n\nmanifests:\n- name: comp-1-manifest-2\n";

    CHECK(places(text) == Places{"E005 1:1", "E004 7:1"});
}

TEST_CASE("snippet 7's two manifests need what their pods request together", "[descriptor][snippets]") {
    const auto deployment = [](int number, std::string_view memory) {
        return fmt::format(
            "  - name: comp-1-manifest-{0}\n    manifest:\n      apiVersion: apps/v1\n      kind: "
            "Deployment\n      "
            "metadata:\n        name: comp-1-manifest-{0}\n      labels:\n        app: x\n      spec:\n      "
            "  "
            "template:\n          spec:\n            containers:\n            - name: x\n              "
            "image: x\n        "
            "      resources:\n                requests:\n                  cpu: 0.5\n                  "
            "memory: {1}\n",
            number,
            memory
        );
    };
    const std::string text =
        "name: a\ncomponents:\n  - name: component-1\n    type: kubernetes\n    manifests:\n      - name: "
        "comp-1-manifest-1\n      - name: comp-1-manifest-2\nmanifests:\n" +
        deployment(1, "2Mi") + deployment(2, "3Mi");

    const Parsed parsed = test::parsed(text);

    CHECK(places(text) == Places{});
    REQUIRE(parsed.application.has_value());
    const Component& component = parsed.application->components[0];
    CHECK(component.requirements.cpu->value == 1000);
    CHECK(component.requirements.memory->value == 5U << 20U);
    CHECK(component.requirements.derived);
    CHECK(component.manifests[0].original.find("\n      labels:\n        app: x\n") != std::string::npos);
}

TEST_CASE("snippets 8 to 11 are policy lists", "[descriptor][snippets]") {
    CHECK(
        places(with_policies("policies:\n  - name: policy-name\n    type: policy-type\n")) ==
        Places{"E052 3:11"}
    );
    CHECK(
        places(with_policies("policies:\n  - name: securitypolicyexample\n    type: security\n    level: low "
                             "# or medium or high\n    remediation_action: none # or migrate\n")) == Places{}
    );
    CHECK(
        places(with_policies("policies:\n  - name: scheduling-scoring\n    type: scheduler\n    performance: "
                             "0.5\n    energy: 0.3\n    security:0.2\n")) == Places{"W002 6:5"}
    );
    CHECK(
        places("policies:\n  - name: scheduling-scoring\n    type: scheduler\n    performance: 0.5\n    "
               "energy: 0.3\n    security:0.2\n") == Places{"E005 1:1", "W002 6:5"}
    );
    CHECK(
        places(with_policies("policies:\n  - name: my-policy\n    type: custom\n    fromTemplate: "
                             "compss-under-allocation\n    remediation: scale-up\n    variables:\n"
                             "      thresholdTimeSeconds: 120\n      compssTask: provesOtel.example_task\n")
        ) == Places{}
    );
}

TEST_CASE("snippet 12 joins hello to world", "[descriptor][snippets]") {
    const std::string text =
        "name: HelloworldClusterlink\ndescription: \"Helloworld application to test "
        "clusterlink\"\ncomponents:\n  - name: hello\n    type: kubernetes\n    manifests:\n"
        "      - name: hello-deployment\n    communication:\n      - incoming: world-svc\n\n  - name: "
        "world\n    type: kubernetes\n    manifests:\n"
        "      - name: world-svc\n    communication:\n      - outgoing: world-svc\n";

    const Parsed parsed = test::parsed(
        text + "manifests:\n" + pod("hello-deployment") +
        "  - {name: world-svc, manifest: {apiVersion: v1, kind: Service, metadata: {name: world-svc}}}\n"
    );

    CHECK(places(text) == Places{"E015 1:1", "W012 1:7"});
    REQUIRE(parsed.application.has_value());
    CHECK(parsed.application->edges == std::vector<std::pair<std::size_t, std::size_t>>{{0, 1}});
}

TEST_CASE("snippets 13 and 14 make one descriptor, but for its name", "[descriptor][snippets]") {
    const std::string components =
        "components:\n  - name: component-1\n    type: docker\n    manifests:\n      - name: "
        "comp-1-manifest\n    requirements:\n      cpu: 0.5\n      memory: 200M\n\n";
    const std::string manifests =
        "manifests:\n  - name: comp-1-manifest\n    manifest:\n      version: '3.8'\n      services:\n       "
        " frontend:\n          image: example/webapp\n"
        "          deploy:\n            resources:\n              reservations:\n                cpus: "
        "'0.5'\n                memory: 200M\n";

    const Parsed named = test::parsed("name: a\n" + components + manifests);

    CHECK(places(components + manifests) == Places{"E010 1:1"});
    REQUIRE(named.application.has_value());
    CHECK(named.application->components[0].requirements.memory->value == 200'000'000);
    CHECK(places("name: a\n" + components + manifests) == Places{});
    CHECK(
        places(
            "name: a\n" + components +
            "manifests:\n  - name: comp-1-manifest\n    manifest:\n      # Docker compose manifest\n"
        ) == Places{"E035 13:5"}
    );
}

TEST_CASE("the Matchmaker's test descriptor glues its dashes", "[descriptor][snippets]") {
    const std::string text =
        "name: a\ncomponents:\n  - name: c\n    type: kubernetes\n    manifests:\n      - name: "
        "x\nmanifests:\n"
        "  -name: x\n  type: manifest\n  manifest:\n    apiVersion: v1\n  -name: y\n  type: manifest\n  "
        "manifest:\n    apiVersion: v1\n"
        "  -name: z\n  type: manifest\n  manifest:\n    apiVersion: v1\n";
    const Places expected{
        "E009 8:3",
        "E011 8:3",
        "E004 12:3",
        "E009 12:3",
        "E004 13:3",
        "E004 14:3",
        "E004 16:3",
        "E009 16:3",
        "E004 17:3",
        "E004 18:3"
    };

    CHECK(places(text) == expected);
    CHECK(places(text, {.profile = Profile::header}) == expected);
    CHECK_FALSE(test::parsed(text).application.has_value());
    CHECK(test::parsed(text, {.profile = Profile::header}).application.has_value());
}
