// SPDX-License-Identifier: Apache-2.0
#include "places.hpp"

#include <catch2/catch.hpp>

using namespace icos::descriptor;
using test::places;

namespace {

/// The policy stands on line 7, column 9.
std::string in_component(std::string_view policy) {
    return fmt::format(
        "name: a\ncomponents:\n  - name: c\n    type: docker\n    manifests: [{{name: m}}]\n    policies:\n  "
        "    - {}\nmanifests: [{{name: m, manifest: {{services: {{s: {{image: x}}}}}}}}]\n",
        policy
    );
}

/// The policy stands on line 4, column 5.
std::string in_application(std::string_view policy) {
    return fmt::format(
        "name: a\ncomponents: [{{name: c, type: docker, manifests: [{{name: m}}]}}]\npolicies:\n  - "
        "{}\nmanifests: [{{name: m, manifest: {{services: {{s: {{image: x}}}}}}}}]\n",
        policy
    );
}

}  // namespace

TEST_CASE("every kind of policy has a valid form", "[descriptor][policy]") {
    for (const std::string_view policy : {
             "security: high",
             "{type: security, level: low, remediation_action: none}",
             "{type: security, threshold: 67, remediation: migrate}",
             "{type: scheduler, performance: 0.5, energy: 0.3, security: 0.2}",
             "{type: user-preference, energyconsumption: 1}",
             "{type: custom, fromTemplate: compss-under-allocation, remediation: scale-up, variables: {t: "
             "120, task: a.b}}",
             "{type: custom, spec: {expr: up, violatedIf: '> 1', thresholds: {warning: 1}}, remediation: "
             "none}",
             "{type: node-resource-usage, cpu_threshold_perc: 0.8, memory_threshold: 1Gi, "
             "exclude_app_resources: true}",
             "redeployOnLostTelemetry: 5m",
             "{type: redeployOnLostTelemetry, timeout: 5m}",
             "{type: security, level: low, properties: {pendingInterval: 1m, interval: 30s, oneoff: true}}",
         }) {
        INFO(policy);
        CHECK(places(in_component(policy)) == std::vector<std::string>{});
    }
    CHECK(places(in_application("{security: low, apply-to: [c]}")) == std::vector<std::string>{});
}

TEST_CASE("problems of policies have their code and place", "[descriptor][policy]") {
    const std::vector<test::Row> rows{
        {"a string", "nothing", {"E050 7:9"}},
        {"a missing space", "security:high", {"W002 7:9"}},
        {"no type", "{name: x}", {"E051 7:10"}},
        {"an unknown type", "{type: policy-type}", {"E052 7:16"}},
        {"a name twice", "{name: p, security: low}\n      - {name: p, security: low}", {"E053 8:16"}},
        {"neither level nor threshold", "{type: security}", {"E054 7:10"}},
        {"both level and threshold", "{type: security, level: low, threshold: 1}", {"E054 7:10"}},
        {"an unknown level", "security: hihg", {"E055 7:19"}},
        {"a threshold beyond 100", "{type: security, threshold: 101}", {"E055 7:37"}},
        {"a threshold with a fraction", "{type: security, threshold: 1.5}", {"E055 7:37"}},
        {"a negative weight", "{type: scheduler, energy: -1}", {"E056 7:35"}},
        {"a weight in words", "{type: scheduler, energy: much}", {"E056 7:35"}},
        {"weights that do not sum to 1", "{type: scheduler, energy: 0.5, security: 0.4}", {"W056 7:35"}},
        {"weights within the tolerance", "{type: scheduler, energy: 0.5, security: 0.49}", {}},
        {"one weight by both of its words",
         "{type: scheduler, energy: 0.5, energyconsumption: 0.5}",
         {"E066 7:40"}},
        {"no weight", "{type: scheduler}", {"E057 7:10"}},
        {"only zero weights", "{type: scheduler, energy: 0}", {"E057 7:10"}},
        {"two schedulers", "{type: scheduler, energy: 1}\n      - {type: scheduler, energy: 1}", {"E058 8:10"}
        },
        {"custom with neither", "{type: custom, remediation: none}", {"E060 7:10"}},
        {"custom with both",
         "{type: custom, fromTemplate: cpu-usage-host, spec: {expr: x}, remediation: none}",
         {"E060 7:10"}},
        {"a spec without expr", "{type: custom, spec: {violatedIf: x}, remediation: none}", {"E060 7:31"}},
        {"custom without remediation", "{type: custom, fromTemplate: cpu-usage-host}", {"E061 7:10"}},
        {"an unknown remediation", "{security: low, remediation: panic}", {"E062 7:38"}},
        {"an unknown remediation by its other word",
         "{security: low, remediation_action: panic}",
         {"E062 7:45"}},
        {"a remediation that is a list", "{security: low, remediation: [none]}", {"E011 7:38"}},
        {"two remediations that agree", "{security: low, remediation: none, remediation_action: none}", {}},
        {"two remediations", "{security: low, remediation: none, remediation_action: migrate}", {"E062 7:64"}
        },
        {"apply-to in a component", "{security: low, apply-to: c}", {"E063 7:25"}},
        {"an unknown template",
         "{type: custom, fromTemplate: cpu-usage-hots, remediation: none}",
         {"W065 7:38"}},
        {"a key of another type", "{type: security, level: low, energy: 1}", {"E066 7:38"}},
        {"a key of no type", "{type: security, level: low, levle: 1}", {"E013 7:38"}},
        {"variables as a list", "{security: low, variables: [1]}", {"E067 7:36"}},
        {"a variable that is a map", "{security: low, variables: {a: {}}}", {"E067 7:40"}},
        {"an invalid pending interval", "{security: low, properties: {pendingInterval: 1h30m}}", {"E068 7:55"}
        },
        {"a word for oneoff", "{security: low, properties: {oneoff: yes}}", {"E011 7:46"}},
        {"an unknown property", "{security: low, properties: {intervall: 5m}}", {"E013 7:38"}},
        {"an invalid timeout", "{type: redeployOnLostTelemetry, timeout: soon}", {"E068 7:50"}},
        {"an invalid timeout in short", "redeployOnLostTelemetry: [5m]", {"E068 7:34"}},
        {"a negative fraction", "{type: node-resource-usage, memory_threshold_perc: -0.1}", {"E068 7:60"}},
        {"free memory in an unknown unit", "{type: node-resource-usage, memory_threshold: 1Q}", {"E043 7:55"}
        },
        {"free memory in another's unit", "{type: node-resource-usage, memory_threshold: 1GB}", {"W044 7:55"}
        },
        {"a word for excluding", "{type: node-resource-usage, exclude_app_resources: 1}", {"E011 7:60"}},
        {"a threshold of a spec in words",
         "{type: custom, remediation: none, spec: {expr: x, thresholds: {a: much}}}",
         {"E011 7:75"}},
        {"an unknown key of a spec",
         "{type: custom, remediation: none, spec: {expr: x, exp: y}}",
         {"E013 7:59"}},
        {"a spec that is a string", "{type: custom, remediation: none, spec: up}", {"E011 7:49"}},
        {"a weight that is a list", "{type: scheduler, energy: [1]}", {"E056 7:35"}},
        {"all weights zero", "{type: scheduler, performance: 0, energy: 0.0, security: '0'}", {"E057 7:10"}},
        {"a type that is a list", "{type: [security]}", {"E011 7:16"}},
        {"a level that is null", "{security: }", {"E054 7:10"}},
        {"a variable without a value", "{security: low, variables: {a: }}", {"E067 7:40"}},
        {"an invalid duration", "{security: low, properties: {interval: 5}}", {"E068 7:48"}},
        {"a fraction above 1", "{type: node-resource-usage, cpu_threshold_perc: 80}", {"E068 7:57"}},
        {"a list of policies that is a map", "security: low\n    x-icos: 1", {"E011 8:13"}},
    };
    for (const test::Row& row : rows) {
        INFO(row.what);
        CHECK(places(in_component(row.text)) == row.expected);
    }
}

TEST_CASE("policies of the application name their components", "[descriptor][policy]") {
    CHECK(places(in_application("{security: low, apply-to: d}")) == std::vector<std::string>{"E064 4:31"});
    CHECK(
        places(in_application("{security: low, apply-to: [c, d]}")) == std::vector<std::string>{"E064 4:35"}
    );
    CHECK(places(in_application("redeployOnLostTelemetry: 5m")) == std::vector<std::string>{"E069 4:5"});
    CHECK(places(in_application("{type: redeployOnLostTelemetry}")) == std::vector<std::string>{"E069 4:12"});
}

TEST_CASE("what a problem of a policy contradicts is related to it", "[descriptor][policy]") {
    const auto related = [](std::string_view policy, std::string_view code) {
        const Diagnostic error = test::first(in_component(policy), code);
        REQUIRE(error.related.size() == 1);
        return std::pair(error.line, error.related[0].line);
    };

    CHECK(
        related("{name: p, security: low}\n      - {name: p, security: low}", "E053") == std::pair(8UL, 7UL)
    );
    CHECK(
        related("{type: scheduler, energy: 1}\n      - {type: scheduler, energy: 1}", "E058") ==
        std::pair(8UL, 7UL)
    );
    CHECK(
        related("{security: low, remediation: none,\n         remediation_action: patch}", "E062") ==
        std::pair(8UL, 7UL)
    );
}
