// SPDX-License-Identifier: Apache-2.0
#include "places.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace icos::descriptor;
using test::first;
using test::places;
using Places = std::vector<std::string>;

namespace {

constexpr std::string_view kManifest = "manifests:\n  - name: m\n    manifest: {services: {s: {image: x}}}\n";

/// Lines 1 to 5 are fixed; the rest of the only component starts on line 6, indented by four.
std::string component(std::string_view rest) {
    return fmt::format(
        "name: a\ncomponents:\n  - name: c\n    type: docker\n    manifests: [{{name: m}}]\n{}{}",
        rest,
        kManifest
    );
}

void check_rows(const std::vector<test::Row>& rows, std::string (*wrap)(std::string_view)) {
    for (const test::Row& row : rows) {
        INFO(row.what);
        CHECK(places(wrap(row.text)) == row.expected);
    }
}

std::string list_of(std::size_t count) {
    std::string list = "[c0";
    for (std::size_t i = 1; i < count; ++i) list += fmt::format(", c{}", i);
    return list + "]";
}

std::string whole(std::string_view text) {
    return std::string(text);
}
std::string with_manifest(std::string_view text) {
    return std::string(text) + std::string(kManifest);
}

}  // namespace

TEST_CASE("the smallest descriptor is valid", "[descriptor]") {
    const Parsed parsed = test::parsed(component(""));

    REQUIRE(parsed.application.has_value());
    CHECK_FALSE(has_errors(parsed.diagnostics));
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].code == "I018");
    CHECK(parsed.diagnostics[0].severity == Severity::info);
    CHECK(parsed.diagnostics[0].line == 1);
    CHECK(parsed.diagnostics[0].column == 1);
}

TEST_CASE("problems of the header have their code and place", "[descriptor]") {
    check_rows(
        {
            {"no name",
             "description: x\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E010 1:1"}},
            {"a name without a value",
             "name:\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E010 1:1"}},
            {"a name that YAML 1.1 reads as a boolean",
             "name: yes\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E011 1:7"}},
            {"a number as name",
             "name: 5\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E011 1:7"}},
            {"a list as name",
             "name: [a]\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E011 1:7"}},
            {"a name with a space",
             "name: my app\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"W012 1:7"}},
            {"a name that leaves nothing",
             "name: \"***\"\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E012 1:7"}},
            {"a bad namespace",
             "name: a\nnamespace: B_\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E012 2:12"}},
            {"a description that is a map",
             "name: a\ndescription: {}\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E011 2:14"}},
            {"an unknown key",
             "name: a\ncomponentz: 1\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E013 2:1"}},
            {"components that hold nothing", "name: a\ncomponents:\n", {"E014 2:1", "W034 4:11"}},
            {"an empty list of components", "name: a\ncomponents: []\n", {"E014 2:1", "W034 4:11"}},
            {"components as a map", "name: a\ncomponents: {c: 1}\n", {"E011 2:13", "W034 4:11"}},
            {"dependencies as a map",
             "name: a\ndependencies: {}\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E011 2:15"}},
            {"requirements of the application",
             "name: a\nrequirements: {cpu: 1}\ncomponents:\n  - {name: c, type: docker, manifests: [{name: "
             "m}]}\n",
             {"W017 2:1"}},
            {"a merge key in the header",
             "name: a\n<<: {description: b}\ncomponents:\n  - {name: c, type: docker, manifests: [{name: "
             "m}]}\n",
             {"E013 2:1"}},
            {"a key that is a list",
             "name: a\n[x]: 1\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E011 2:1", "E013 2:1"}},
            {"a foreign tag",
             "name: !secret a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E011 1:7"}},
        },
        with_manifest
    );
    check_rows(
        {
            {"no manifests",
             "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n",
             {"E015 1:1"}},
            {"manifests that hold nothing",
             "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\nmanifests:\n",
             {"E015 4:1"}},
            {"manifests as a string",
             "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\nmanifests: x\n",
             {"E011 4:12"}},
        },
        whole
    );
}

TEST_CASE("problems of a component have their code and place", "[descriptor]") {
    check_rows(
        {
            {"a string", "name: a\ncomponents:\n  - c\n", {"E020 3:5", "W034 5:11"}},
            {"no name", "name: a\ncomponents:\n  - {type: docker, manifests: [{name: m}]}\n", {"E021 3:6"}},
            {"a name in capitals",
             "name: a\ncomponents:\n  - {name: Cc, type: docker, manifests: [{name: m}]}\n",
             {"E012 3:12"}},
            {"a name used twice",
             "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n  - {name: c, type: "
             "docker, manifests: [{name: n}]}\n",
             {"E022 4:12", "E031 4:48"}},
            {"no type", "name: a\ncomponents:\n  - {name: c, manifests: [{name: m}]}\n", {"E023 3:6"}},
            {"an unknown type",
             "name: a\ncomponents:\n  - {name: c, type: dokcer, manifests: [{name: m}]}\n",
             {"E024 3:21"}},
            {"no manifests", "name: a\ncomponents:\n  - {name: c, type: docker}\n", {"E025 3:6", "W034 5:11"}
            },
            {"an empty list of manifests",
             "name: a\ncomponents:\n  - {name: c, type: docker, manifests: []}\n",
             {"E025 3:29", "W034 5:11"}},
            {"manifests as strings",
             "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [m]}\n",
             {"E011 3:41", "W034 5:11"}},
            {"an unknown key",
             "name: a\ncomponents:\n  - {name: c, typ: docker, type: docker, manifests: [{name: m}]}\n",
             {"E013 3:15"}},
            {"an unknown key in a reference",
             "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m, nam: x}]}\n",
             {"E013 3:51"}},
        },
        with_manifest
    );
}

TEST_CASE("problems of requirements have their code and place", "[descriptor]") {
    check_rows(
        {
            {"null is absent", "    requirements:\n", {}},
            {"a list", "    requirements: [1]\n", {"E011 6:19"}},
            {"an unknown requirement", "    requirements: {cpuu: 1}\n", {"E040 6:20"}},
            {"an unknown architecture", "    requirements: {architecture: arm32}\n", {"E041 6:34"}},
            {"a cpu of zero", "    requirements: {cpu: 0}\n", {"E042 6:25"}},
            {"a negative cpu", "    requirements: {cpu: -1}\n", {"E042 6:25"}},
            {"a cpu in words", "    requirements: {cpu: one}\n", {"E042 6:25"}},
            {"a sexagesimal cpu", "    requirements: {cpu: 12:30}\n", {"E042 6:25"}},
            {"a cpu that is not finite", "    requirements: {cpu: .inf}\n", {"E042 6:25"}},
            {"a cpu list", "    requirements: {cpu: [1]}\n", {"E011 6:25"}},
            {"an unknown unit", "    requirements: {memory: 200Q}\n", {"E043 6:28"}},
            {"negative memory", "    requirements: {memory: -1Mi}\n", {"E043 6:28"}},
            {"a docker-like unit", "    requirements: {memory: 200Mb}\n", {"W044 6:28"}},
            {"milli-bytes", "    requirements: {memory: 200m}\n", {"E045 6:28"}},
            {"a bare K", "    requirements: {memory: 2K}\n", {"E045 6:28"}},
            {"devices as a map", "    requirements: {devices: {a: 1}}\n", {"E046 6:29"}},
            {"an empty list of devices", "    requirements: {devices: []}\n", {"E046 6:29"}},
            {"a device that is a number", "    requirements: {devices: [1]}\n", {"E046 6:30"}},
            {"a nodelabel without values", "    requirements: {nodelabel: {key: k}}\n", {"E047 6:32"}},
            {"a nodelabel without key", "    requirements: {nodelabel: {values: [v]}}\n", {"E047 6:32"}},
            {"a nodelabel with more keys",
             "    requirements: {nodelabel: {key: k, values: [v], key2: x}}\n",
             {"E047 6:53"}},
            {"a nodelabel as a string", "    requirements: {nodelabel: k}\n", {"E047 6:31"}},
            {"no value in the list", "    requirements: {nodelabel: {key: k, values: []}}\n", {"E048 6:48"}},
            {"a value twice", "    requirements: {nodelabel: {key: k, values: [v, w, v]}}\n", {"E048 6:55"}},
            {"value beside values",
             "    requirements: {nodelabel: {key: k, value: v, values: [w]}}\n",
             {"E047 6:50"}},
            {"an empty value", "    requirements: {nodelabel: {key: k, values: ''}}\n", {"E048 6:48"}},
            {"a number as value", "    requirements: {nodelabel: {key: k, values: 1}}\n", {"E011 6:48"}},
            {"a device without a name", "    requirements: {devices: ''}\n", {"E046 6:29"}},
            {"value is an alias of values", "    requirements: {nodelabel: {key: k, value: v}}\n", {}},
        },
        component
    );
}

TEST_CASE("problems of x-icos have their code and place", "[descriptor]") {
    check_rows(
        {
            {"everything",
             "    x-icos: {version: 1, replicas: 2, spread: {by: site, max: 1}, antiAffinity: true, "
             "onNodeLoss: exclusive,\n      update: {order: start-first, healthTimeout: 30s}, maxStaleness: "
             "1m, registryCredentials: [a], window: 02:00-04:00, pull: always}\n",
             {}},
            {"a window that is none", "    x-icos: {window: night}\n", {"E011 6:22"}},
            {"another version", "    x-icos: {version: 2}\n", {"E011 6:23"}},
            {"an unknown key", "    x-icos: {replica: 2}\n", {"E013 6:14"}},
            {"no replica", "    x-icos: {replicas: 0}\n", {"E011 6:24"}},
            {"an unknown key of spread", "    x-icos: {spread: {per: site}}\n", {"E013 6:23"}},
            {"a word for a boolean", "    x-icos: {antiAffinity: yes}\n", {"E011 6:28"}},
            {"an unknown reaction to loss", "    x-icos: {onNodeLoss: move}\n", {"E011 6:26"}},
            {"an unknown order", "    x-icos: {update: {order: first}}\n", {"E011 6:30"}},
            {"a bad duration", "    x-icos: {update: {healthTimeout: 30}}\n", {"E068 6:38"}},
            {"a duration beyond bounds", "    x-icos: {maxStaleness: 9y}\n", {"E068 6:28"}},
            {"a label that is too long",
             "    x-icos: {spread: {by: " + std::string(254, 'l') + "}}\n",
             {"E011 6:27"}},
            {"too many credentials", "    x-icos: {registryCredentials: " + list_of(33) + "}\n", {"E011 6:35"}
            },
            {"an unknown pull policy", "    x-icos: {pull: sometimes}\n", {"E011 6:20"}},
            {"a list", "    x-icos: [1]\n", {"E011 6:13"}},
        },
        component
    );
}

TEST_CASE("problems of communication have their code and place", "[descriptor]") {
    check_rows(
        {
            {"one's own service", "    communication: [{outgoing: s}]\n", {}},
            {"the newer form", "    communication: {outgoing: [s]}\n", {}},
            {"a string", "    communication: x\n", {"E011 6:20"}},
            {"an entry that is a string", "    communication: [x]\n", {"E070 6:21"}},
            {"a missing space", "    communication:\n      - outgoing:s\n", {"E070 7:9"}},
            {"both words in one entry", "    communication: [{incoming: s, outgoing: s}]\n", {"E070 6:21"}},
            {"an unknown direction", "    communication: [{inbound: s}]\n", {"E071 6:22"}},
            {"an unknown direction of the newer form", "    communication: {outbound: [s]}\n", {"E071 6:21"}},
            {"no service", "    communication: {outgoing: []}\n", {"E011 6:31"}},
            {"services of one entry", "    communication: [{outgoing: [s, t]}]\n", {"E072 6:36"}},
            {"an unknown service", "    communication: [{outgoing: t}]\n", {"E072 6:32"}},
            {"the wrong direction", "    communication: [{incoming: s}]\n", {"W073 6:32"}},
            {"an edge twice", "    communication: [{outgoing: s}, {outgoing: s}]\n", {"W075 6:47"}},
        },
        component
    );
}

TEST_CASE("the second of two equal names is related to the first", "[descriptor]") {
    const std::string components =
        "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\n  - {name: c, type: "
        "docker, "
        "manifests: [{name: n}]}\n";
    const std::string manifests =
        "manifests:\n  - {name: m, manifest: {services: {s: {image: x}}}}\n  - {name: m, "
        "manifest: {services: {s: {image: x}}}}\n";
    const std::string labels = component(
        "    requirements:\n      nodelabel:\n        key: k\n        values:\n        "
        "  - v\n          - v\n"
    );

    CHECK(first(components, "E022").related.at(0).line == 3);
    CHECK(first(components + manifests, "E032").line == 7);
    CHECK(first(components + manifests, "E032").related.at(0).line == 6);
    CHECK(first(labels, "E048").line == 11);
    CHECK(first(labels, "E048").related.at(0).line == 10);
}

TEST_CASE("nothing is said of what is below a value of the wrong type", "[descriptor]") {
    CHECK(
        places(component("    requirements: [{cpuu: 1}]\n    policies: {type: {}}\n    x-icos: [{zzz: 1}]\n")
        ) == Places{"E011 6:19", "E011 7:15", "E011 8:13"}
    );
}

TEST_CASE("hints name the nearest known word", "[descriptor]") {
    CHECK(first(component("    requirements: {cpuu: 1}\n"), "E040").hint == "did you mean \"cpu\"?");
    CHECK(first(component("    x-icos: {onNodeLos: keep}\n"), "E013").hint == "did you mean \"onNodeLoss\"?");
    CHECK(
        first(component("    requirements: {architecture: aarhc64}\n"), "E041").hint ==
        "did you mean \"aarch64\"?"
    );
    CHECK(first("name: My App!\ncomponents: []\n", "W012").hint == "write \"my-app\"");
    CHECK(first("name: yes\ncomponents: []\n", "E011").hint == "quote it: \"yes\"");
    CHECK(
        first(component("    requirements:\n      cpu:1\n"), "E011").hint ==
        "a space is missing after \"cpu:\""
    );
}

TEST_CASE("a key like no other is answered with those that are known there", "[descriptor]") {
    const auto in_policy = [](std::string_view rest) {
        return component(fmt::format("    policies: [{{{}, zzz: 1}}]\n", rest));
    };
    for (const std::string& text : std::vector<std::string>{
             "zzz: 1\n" + component(""),
             component("    zzz: 1\n"),
             component("    requirements: {zzz: 1}\n"),
             component("    x-icos: {zzz: 1}\n"),
             component("    x-icos: {spread: {zzz: 1}}\n"),
             component("    x-icos: {update: {zzz: 1}}\n"),
             in_policy("security: low"),
             in_policy("type: security, level: low"),
             in_policy("type: scheduler, energy: 1"),
             in_policy("type: custom, fromTemplate: app-sca-score, remediation: none"),
             in_policy("type: node-resource-usage"),
             in_policy("redeployOnLostTelemetry: 5m"),
             in_policy("type: redeployOnLostTelemetry"),
             component("    policies: [{security: low, properties: {zzz: 1}}]\n"),
             component("    policies: [{type: custom, remediation: none, spec: {expr: x, zzz: 1}}]\n"),
             "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m, zzz: 1}]}]\n" +
                 std::string(kManifest),
             "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}]}]\n" +
                 std::string(kManifest) + "    zzz: 1\n",
         }) {
        INFO(text);
        const std::vector<Diagnostic> found = test::parsed(text).diagnostics;
        const auto error = std::find_if(found.begin(), found.end(), [](const Diagnostic& d) {
            return d.severity == Severity::error;
        });
        REQUIRE(error != found.end());
        CHECK((error->code == "E013" || error->code == "E040"));
        CHECK(error->hint.starts_with("known here: "));
        CHECK(error->path.ends_with("zzz"));
    }
}

TEST_CASE("strict makes errors of what is read leniently", "[descriptor]") {
    const std::string text =
        "name: my app\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}], requirements: "
        "{memory: 20Mb},\n"
        "     policies: [{type: scheduler, energy: 0.5}]}\n" +
        std::string(kManifest);

    CHECK(places(text) == Places{"W012 1:7", "W044 3:76", "W056 4:43"});
    CHECK(test::parsed(text).application.has_value());
    CHECK(places(text, {.strict = true}) == Places{"E012 1:7", "W044 3:76", "E056 4:43"});
    CHECK(first(text, "W044", {.strict = true}).severity == Severity::error);
    CHECK_FALSE(test::parsed(text, {.strict = true}).application.has_value());
}
