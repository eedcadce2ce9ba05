// SPDX-License-Identifier: Apache-2.0
// What the matchmaker and the policy manager read of policies.
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

/// Two components, c and d, with lists of policies in flow style.
Application with_policies(
    std::string_view of_application, std::string_view of_c, std::string_view of_d = ""
) {
    return application(fmt::format(
        "name: a\npolicies: [{}]\ncomponents:\n"
        "  - {{name: c, type: docker, manifests: [{{name: m}}], policies: [{}]}}\n"
        "  - {{name: d, type: docker, manifests: [{{name: n}}], policies: [{}]}}\n"
        "manifests: [{{name: m, manifest: {{services: {{s: {{image: x}}}}}}}}, {{name: n, manifest: "
        "{{services: {{t: "
        "{{image: x}}}}}}}}]\n",
        of_application,
        of_c,
        of_d
    ));
}

void check_weights(const Component& component, double performance, double energy, double security) {
    REQUIRE(component.placement.weights.has_value());
    CHECK(component.placement.weights->performance == Approx(performance));
    CHECK(component.placement.weights->energy == Approx(energy));
    CHECK(component.placement.weights->security == Approx(security));
}

}  // namespace

TEST_CASE("weights are normalised, a missing one is 0", "[descriptor][policy]") {
    const Application app = with_policies(
        "", "{type: scheduler, performance: 50, energy: 30, security: 20}", "{type: scheduler, energy: '0.5'}"
    );

    check_weights(app.components[0], 0.5, 0.3, 0.2);
    check_weights(app.components[1], 0, 1, 0);
}

TEST_CASE("the sum of huge and of tiny weights is no obstacle", "[descriptor][policy]") {
    const Application app = with_policies(
        "",
        "{type: scheduler, performance: 1e308, energy: 1e308, security: 1e308}",
        "{type: scheduler, performance: 1e-320, security: 1e-320}"
    );

    check_weights(app.components[0], 1.0 / 3, 1.0 / 3, 1.0 / 3);
    check_weights(app.components[1], 0.5, 0, 0.5);
}

TEST_CASE("a component's weights win over the application's", "[descriptor][policy]") {
    const Application app =
        with_policies("{type: scheduler, performance: 1}", "{type: scheduler, security: 1}");

    check_weights(app.components[0], 0, 0, 1);
    check_weights(app.components[1], 1, 0, 0);
}

TEST_CASE("weights of the application are for the components that it names", "[descriptor][policy]") {
    const Application app = with_policies("{type: scheduler, performance: 1, apply-to: d}", "");

    CHECK_FALSE(app.components[0].placement.weights.has_value());
    check_weights(app.components[1], 1, 0, 0);
}

TEST_CASE("older words for weights are read", "[descriptor][policy]") {
    const Application app =
        with_policies("", "{type: user-preference, performance: 0.5, energyconsumption: 0.3, security: 0.2}");

    check_weights(app.components[0], 0.5, 0.3, 0.2);
    CHECK(type_of(app.components[0].policies[0].rule) == "scheduler");
}

TEST_CASE("of several security policies the highest level and number count", "[descriptor][policy]") {
    const Application app = with_policies(
        "{security: low}, {type: security, threshold: 20}, {type: security, level: high, apply-to: [d]}",
        "security: medium, {type: security, threshold: 10}",
        "{type: security, threshold: 90}"
    );

    CHECK(app.components[0].placement.security == SecurityMinimum{SecurityLevel::medium, 20});
    CHECK(app.components[1].placement.security == SecurityMinimum{SecurityLevel::high, 90});
}

TEST_CASE("a component without policies demands nothing", "[descriptor][policy]") {
    const Application app = with_policies("{security: high, apply-to: d}", "");

    CHECK(app.components[0].placement.security == SecurityMinimum{});
    CHECK_FALSE(app.components[0].placement.weights.has_value());
    CHECK(app.components[0].placement.node_usage.empty());
    CHECK(app.components[0].policies.empty());
}

TEST_CASE("thresholds of use are fractions and bytes", "[descriptor][policy]") {
    const Application app = with_policies(
        "{type: node-resource-usage, cpu_threshold_perc: 0.8, memory_threshold: 1Gi}",
        "{type: node-resource-usage, memory_threshold_perc: '0.9', exclude_app_resources: false}"
    );

    const auto& own = app.components[0].placement.node_usage;
    REQUIRE(own.size() == 2);
    CHECK(own[0].memory_threshold_perc == 0.9);
    CHECK_FALSE(own[0].cpu_threshold_perc.has_value());
    CHECK_FALSE(own[0].exclude_app_resources);
    CHECK(own[1].cpu_threshold_perc == 0.8);
    CHECK(own[1].memory_threshold == Quantity{1U << 30U, "1Gi"});
    CHECK(own[1].exclude_app_resources);
    CHECK(app.components[1].placement.node_usage == std::vector<NodeResourceUsage>{own[1]});
}

TEST_CASE("of several thresholds of use the strictest counts", "[descriptor][policy]") {
    const Application app = with_policies(
        "{type: node-resource-usage, cpu_threshold_perc: 0.9, memory_threshold: 2Gi}",
        "{type: node-resource-usage, cpu_threshold_perc: 0.8, memory_threshold: 1Gi}, "
        "{type: node-resource-usage, memory_threshold_perc: 0.5}, "
        "{type: node-resource-usage, cpu_threshold_perc: 0.7, exclude_app_resources: false}"
    );

    CHECK(
        app.components[0].placement.node_usage ==
        std::vector<NodeResourceUsage>{
            {0.8, 0.5, Quantity{2ULL << 30U, "2Gi"}, true}, {0.7, std::nullopt, std::nullopt, false}
        }
    );
}

TEST_CASE("policies are known where they stand, with all that was written", "[descriptor][policy]") {
    const Application app = application(
        "name: a\npolicies:\n  - {name: secure, security: high, apply-to: c}\n"
        "components:\n  - name: c\n    type: docker\n    manifests: [{name: m}]\n    policies:\n"
        "      - name: hot\n        type: custom\n        fromTemplate: compss-under-allocation\n"
        "        remediation: scale-up\n"
        "        variables: {seconds: 120, factor: 0.5, task: a.b, on: true, quoted: '7'}\n"
        "        properties: {pendingInterval: 30s, interval: 1m, oneoff: true}\n"
        "      - {type: custom, spec: {expr: up, violatedIf: '> 1', thresholds: {warning: 1, critical: "
        "2.5}}, "
        "remediation_action: none}\n"
        "      - redeployOnLostTelemetry: 15m\n"
        "      - {type: redeployOnLostTelemetry}\n"
        "manifests: [{name: m, manifest: {services: {s: {image: x}}}}]\n"
    );

    REQUIRE(app.policies.size() == 1);
    CHECK(app.policies[0].name == "secure");
    CHECK(app.policies[0].apply_to == std::vector<std::string>{"c"});
    CHECK(app.policies[0].line == 3);
    CHECK(std::get<SecurityMinimum>(app.policies[0].rule) == SecurityMinimum{SecurityLevel::high, {}});
    const std::vector<Policy>& own = app.components[0].policies;
    REQUIRE(own.size() == 4);
    CHECK(own[0].name == "hot");
    CHECK(own[0].remediation == "scale-up");
    CHECK(std::get<CustomRule>(own[0].rule).from_template == "compss-under-allocation");
    using Kind = PolicyVariable::Kind;
    CHECK(
        own[0].variables ==
        std::vector<PolicyVariable>{
            {"seconds", "120", Kind::integer},
            {"factor", "0.5", Kind::number},
            {"task", "a.b", Kind::string},
            {"on", "true", Kind::boolean},
            {"quoted", "7", Kind::string}
        }
    );
    CHECK(own[0].properties == PolicyProperties{30'000, 60'000, true});
    CHECK(own[0].line == 9);
    CHECK(
        std::get<CustomRule>(own[1].rule).spec == PolicySpec{"up", "> 1", {{"warning", 1}, {"critical", 2.5}}}
    );
    CHECK(std::get<LostTelemetry>(own[2].rule).timeout_ms == 900'000);
    CHECK(std::get<LostTelemetry>(own[3].rule).timeout_ms == 300'000);
}

TEST_CASE("a policy without a remediation has its type's", "[descriptor][policy]") {
    const Application app = with_policies(
        "",
        "security: low, {type: node-resource-usage}, redeployOnLostTelemetry: 5m, {type: scheduler, energy: "
        "1}, "
        "{type: security, level: low, remediation_action: migrate}"
    );

    std::vector<std::string> words;
    for (const Policy& policy : app.components[0].policies) words.push_back(policy.remediation);
    CHECK(words == std::vector<std::string>{"redeploy", "redeploy", "redeploy", "none", "migrate"});
}

TEST_CASE(
    "a descriptor with policies in all places and forms is read as the Policy Manager does",
    "[descriptor][policy]"
) {
    const Application app = application(
        "name: mjpeg-ffmpeg-app\ndescription: x\ncomponents:\n"
        "  - {name: ffmpeg, type: manifest, manifests: [{name: ffmpeg-pod}], requirements: {memory: 200Mb, "
        "nodelabel: "
        "{key: k, value: v}}, policies: [\n"
        "      {security: high},\n"
        "      {name: my-policy, type: custom, fromTemplate: compss-under-allocation, remediation: "
        "scale-up,\n"
        "       variables: {thresholdTimeSeconds: 120, compssTask: provesOtel.example_task}},\n"
        "      {name: my-policy-2, type: custom, spec: {expr: my-metric > 10}, remediation: scale-down,\n"
        "       variables: {compssTask: provesOtel.example_task}}]}\n"
        "  - {name: mjpeg, type: kubernetes, manifests: [{name: mjpeg}]}\n"
        "policies:\n"
        "  - {name: user-preference-policy-example, type: user-preference, performance: 0.5, security: 0.2, "
        "energyconsumption: 0.3}\n"
        "  - {name: securitypolicyexample, type: security, level: low, apply-to: ffmpeg}\n"
        "  - {security: low, apply-to: [ffmpeg, mjpeg]}\n"
        "  - {security: low}\n"
        "  - {name: securitypolicyexample2, type: security, level: high, remediation: migrate, apply-to: "
        "ffmpeg}\n"
        "  - {security: medium, apply-to: mjpeg}\n"
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: ffmpeg-pod}\n"
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: mjpeg}\n"
    );

    REQUIRE(app.policies.size() == 6);
    CHECK(type_of(app.policies[0].rule) == "scheduler");
    CHECK(app.policies[1].apply_to == std::vector<std::string>{"ffmpeg"});
    CHECK(app.policies[2].apply_to == std::vector<std::string>{"ffmpeg", "mjpeg"});
    CHECK(app.policies[3].apply_to.empty());
    CHECK(app.policies[4].remediation == "migrate");
    CHECK(app.policies[5].remediation == "redeploy");
    REQUIRE(app.components[0].policies.size() == 3);
    CHECK(std::get<CustomRule>(app.components[0].policies[2].rule).spec->expr == "my-metric > 10");
    CHECK(app.components[0].placement.security.level == SecurityLevel::high);
    CHECK(app.components[1].placement.security.level == SecurityLevel::medium);
    check_weights(app.components[1], 0.5, 0.3, 0.2);
    CHECK(app.components[0].requirements.memory->value == 200'000'000);
}

TEST_CASE("policies are read with repaired spaces", "[descriptor][policy]") {
    const Parsed parsed = test::parsed(
        "name: a\npolicies:\n  - security:high\ncomponents: [{name: c, type: docker, manifests: [{name: "
        "m}]}]\n"
        "manifests: [{name: m, manifest: {services: {s: {image: x}}}}]\n"
    );

    REQUIRE(parsed.application.has_value());
    CHECK(parsed.application->components[0].placement.security.level == SecurityLevel::high);
}
