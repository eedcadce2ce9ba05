// SPDX-License-Identifier: Apache-2.0
#include "places.hpp"

#include <catch2/catch.hpp>

using namespace icos::descriptor;

namespace {

Application application(const std::string& text) {
    const Parsed parsed = test::parsed(text);
    for (const Diagnostic& diagnostic : parsed.diagnostics) {
        if (diagnostic.severity == Severity::error) FAIL_CHECK(to_line(diagnostic));
    }
    REQUIRE(parsed.application.has_value());
    return *parsed.application;
}

std::string docker(std::string_view header, std::string_view service) {
    return fmt::format(
        "name: a\ncomponents: [{{name: c, type: docker, manifests: [{{name: m}}]{}}}]\nmanifests: [{{name: "
        "m, manifest: {{services: {{s: {{image: x{}}}}}, volumes: {{v: }}}}}}]\n",
        header,
        service
    );
}

}  // namespace

TEST_CASE("requirements are derived from reservations where the header has none", "[descriptor]") {
    const std::string reserving =
        ", deploy: {replicas: 2, resources: {reservations: {cpus: '0.25', memory: 32m}}}";

    const Requirements derived = application(docker("", reserving)).components[0].requirements;
    const Requirements mixed =
        application(docker(", requirements: {cpu: 1}", reserving)).components[0].requirements;
    const Requirements none = application(docker("", "")).components[0].requirements;

    CHECK(derived.derived);
    CHECK(derived.cpu->value == 500);
    CHECK(derived.cpu->text == "500m");
    CHECK(derived.memory->value == 64U << 20U);
    CHECK(derived.memory->text == "64Mi");
    CHECK(mixed.derived);
    CHECK(mixed.cpu->value == 1000);
    CHECK_FALSE(none.derived);
    CHECK_FALSE(none.cpu.has_value());
}

TEST_CASE(
    "a pod needs the sum of its containers, or its largest init container, times replicas", "[descriptor]"
) {
    const Application app = application(
        "name: a\ncomponents: [{name: c, type: kubernetes, manifests: [{name: m}, {name: n}]}]\nmanifests:\n"
        "  - name: m\n    manifest:\n      apiVersion: apps/v1\n      kind: Deployment\n      metadata: "
        "{name: m}\n      spec:\n        replicas: 3\n        template:\n          spec:\n"
        "            initContainers: [{image: i, resources: {requests: {cpu: 1, memory: 1Mi}}}]\n"
        "            containers: [{image: x, resources: {requests: {cpu: '0.25', memory: 2Mi}}, ports: "
        "[{hostPort: 80}]}, {image: y, resources: {requests: {cpu: 250m, memory: 3Mi}}}]\n"
        "  - {name: n, manifest: {apiVersion: v1, kind: Pod, metadata: {name: n}, spec: {volumes: "
        "[{persistentVolumeClaim: {claimName: d}}]}}}\n"
    );

    const Component& component = app.components[0];
    CHECK(component.requirements.cpu->value == 3000);
    CHECK(component.requirements.memory->value == 15U << 20U);
    CHECK(component.images == std::vector<std::string>{"x", "y", "i"});
    CHECK(component.host_ports == std::vector<HostPort>{{"", 80, "tcp"}});
    CHECK(component.holds_data);
}

TEST_CASE(
    "a limit without a request is what a pod needs, and sidecars stay beside the rest", "[descriptor]"
) {
    const auto pod = [](std::string_view spec) {
        return application(
                   fmt::format(
                       "name: a\ncomponents: [{{name: c, type: kubernetes, manifests: [{{name: m}}]}}]\n"
                       "manifests: [{{name: m, manifest: {{apiVersion: v1, kind: Pod, metadata: {{name: m}}, "
                       "spec: {{{}}}}}}}]\n",
                       spec
                   )
        )
            .components[0]
            .requirements;
    };

    const Requirements limited =
        pod("containers: [{resources: {requests: {cpu: 100m}, limits: {cpu: 2, memory: 1Mi}}}, {resources: "
            "{limits: {cpu: "
            "1}}}]");
    const Requirements with_sidecar = pod(
        "initContainers: [{restartPolicy: Always, resources: {requests: {cpu: 1, memory: 1Mi}}}, {resources: "
        "{requests: {cpu: 5, memory: 1Mi}}}], containers: [{resources: {requests: {cpu: 2, memory: 4Mi}}}]"
    );

    CHECK(limited.cpu->value == 1100);
    CHECK(limited.memory->value == 1U << 20U);
    CHECK(with_sidecar.cpu->value == 6000);
    CHECK(with_sidecar.memory->value == 5U << 20U);
    CHECK_FALSE(pod("containers: [{image: x}]").cpu.has_value());
}

TEST_CASE("architectures have one name, whichever was written", "[descriptor]") {
    for (const std::string_view word : {"intel", "x86_64", "amd64", "x86-64"}) {
        const std::string text = docker(fmt::format(", requirements: {{architecture: {}}}", word), "");
        CHECK(application(text).components[0].requirements.architecture == "x86_64");
    }
    for (const std::string_view word : {"arm64", "aarch64"}) {
        const std::string text = docker(fmt::format(", requirements: {{architecture: {}}}", word), "");
        CHECK(application(text).components[0].requirements.architecture == "arm64");
    }
}

TEST_CASE("data is a named volume or a bind mount", "[descriptor]") {
    CHECK(application(docker("", ", volumes: [v:/data]")).components[0].holds_data);
    CHECK(application(docker("", ", volumes: [/etc:/host]")).components[0].holds_data);
    CHECK_FALSE(application(docker("", ", volumes: [/cache], tmpfs: /run")).components[0].holds_data);
}

TEST_CASE("published ports are known, ephemeral ones are not host ports", "[descriptor]") {
    const Component component =
        application(docker("", ", ports: ['8080-8081:80-81/udp', '127.0.0.1:90:90', '99']")).components[0];

    CHECK(
        component.host_ports ==
        std::vector<HostPort>{{"", 8080, "udp"}, {"", 8081, "udp"}, {"127.0.0.1", 90, "tcp"}}
    );
}

TEST_CASE("options of a component win over those of the application", "[descriptor]") {
    const Application app = application(
        "name: a\nx-icos: {version: 1, onNodeLoss: keep, replicas: 2, pull: always}\ncomponents:\n"
        "  - {name: c, type: docker, manifests: [{name: m}], x-icos: {onNodeLoss: exclusive, update: "
        "{healthTimeout: 30s}}}\n"
        "  - {name: d, type: docker, manifests: [{name: n}]}\nmanifests: [{name: m, manifest: {services: {s: "
        "{image: x}}}}, {name: n, manifest: {services: {t: {image: x}}}}]\n"
    );

    CHECK(app.components[0].options.on_node_loss == OnNodeLoss::exclusive);
    CHECK(app.components[0].options.replicas == 2U);
    CHECK(app.components[0].options.health_timeout_ms == 30'000U);
    CHECK(app.components[1].options.on_node_loss == OnNodeLoss::keep);
    CHECK(app.components[1].options.pull == "always");
}

TEST_CASE("edges join consumer and provider once, whichever word was used", "[descriptor]") {
    const Application app = application(
        "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}], communication: {incoming: "
        "[t, n]}}\n"
        "  - {name: d, type: docker, manifests: [{name: n}], communication: [{outgoing: t}, {outgoing: s}]}\n"
        "manifests: [{name: m, manifest: {services: {s: {image: x}}}}, {name: n, manifest: {services: {t: "
        "{image: x}}}}]\n"
    );

    CHECK(app.edges == std::vector<std::pair<std::size_t, std::size_t>>{{0, 1}, {1, 0}});
    REQUIRE(app.components[1].communication.size() == 2);
    CHECK(app.components[1].communication[1].direction == Edge::Direction::incoming);
    CHECK(app.components[1].communication[1].service == "s");
}

TEST_CASE("manifests keep the bytes that were written", "[descriptor]") {
    const std::string text =
        "name: a\ncomponents: [{name: c, type: kubernetes, manifests: [{name: m}, {name: n}]}]\nmanifests:\n "
        " - name: m\n    manifest:\n"
        "      # before\n      apiVersion: v1   # é\n      kind: Pod\n      metadata: {name: m}\n      "
        "data:\n        n: yes\n        script: |\n          a\n\n          b\n      last: x  # end\n\n      "
        "# after\n"
        "  - name: n\n    manifest: {apiVersion: v1, kind: Pod, metadata: {name: n}}   # flow\n";

    const Application app = application(text);

    CHECK(
        app.components[0].manifests[0].original ==
        "      apiVersion: v1   # é\n      kind: Pod\n      metadata: {name: m}\n      data:\n        n: "
        "yes\n        script: |\n          a\n\n          b\n      last: x  # end\n"
    );
    CHECK(app.components[0].manifests[1].original == "{apiVersion: v1, kind: Pod, metadata: {name: n}}");
    CHECK(app.components[0].manifests[0].engine == Engine::kubernetes);
    CHECK(app.components[0].manifests[0].line == 4);
}

TEST_CASE("objects in documents of their own keep their bytes", "[descriptor]") {
    const Application app = application(
        "name: a\r\ncomponents: [{name: c, type: kubernetes, manifests: [{name: m}, {name: n}]}]\r\n---\r\n"
        "# of the pod\r\napiVersion: v1\r\nkind: Pod   # first\r\nmetadata:\r\n  name: m\r\n  labels: {a: &x "
        "b, c: "
        "*x}\r\n---\r\n{apiVersion: v1, kind: ConfigMap,\r\n metadata: {name: n}}\r\n...\r\n"
    );

    const std::vector<Manifest>& manifests = app.components[0].manifests;
    REQUIRE(manifests.size() == 2);
    CHECK(
        manifests[0].original ==
        "apiVersion: v1\r\nkind: Pod   # first\r\nmetadata:\r\n  name: m\r\n  labels: {a: &x b, c: *x}\r\n"
    );
    CHECK(manifests[1].original == "{apiVersion: v1, kind: ConfigMap,\r\n metadata: {name: n}}");
}

TEST_CASE("a manifest that ends in a block scalar keeps it whole", "[descriptor]") {
    const std::string text =
        "name: a\ncomponents: [{name: c, type: kubernetes, manifests: [{name: m}]}]\nmanifests:\n  - name: "
        "m\n    manifest:\n"
        "      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: m}\n      data:\n        "
        "script: |\n          a\n          b\n";

    CHECK(
        application(text).components[0].manifests[0].original ==
        "      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: m}\n      data:\n        "
        "script: |\n          a\n          b\n"
    );
}

TEST_CASE("the namespace is the descriptor's, else the name made valid", "[descriptor]") {
    const std::string rest =
        "components: [{name: c, type: docker, manifests: [{name: m}]}]\nmanifests: [{name: m, manifest: "
        "{services: {s: {image: x}}}}]\n";

    CHECK(application("name: My App\n" + rest).name_space == "my-app");
    CHECK(application("name: My App\n" + rest).name == "My App");
    CHECK(application("name: a\nnamespace: b\n" + rest).name_space == "b");
}

TEST_CASE("an application with errors is not given out", "[descriptor]") {
    CHECK_FALSE(test::parsed(docker("", ", imag: y")).application.has_value());
}
