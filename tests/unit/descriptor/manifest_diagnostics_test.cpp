// SPDX-License-Identifier: Apache-2.0
#include "places.hpp"

#include <catch2/catch.hpp>

using namespace icos::descriptor;
using test::first;
using test::places;
using Places = std::vector<std::string>;

namespace {

void check_rows(std::string_view head, const std::vector<test::Row>& rows) {
    for (const test::Row& row : rows) {
        INFO(row.what);
        CHECK(places(std::string(head) + row.text) == row.expected);
    }
}

constexpr std::string_view kDocker =
    "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}]}]\nmanifests:\n";
constexpr std::string_view kKubernetes =
    "name: a\ncomponents: [{name: c, type: kubernetes, manifests: [{name: m}]}]\nmanifests:\n";
constexpr std::string_view kMultiple =
    "name: a\ncomponents: [{name: c, type: multiple, manifests: [{name: m-docker}, {name: "
    "m-kubernetes}]}]\nmanifests:\n";
constexpr std::string_view kCompose = "{services: {s: {image: x}}}";
constexpr std::string_view kPod = "{apiVersion: v1, kind: Pod, metadata: {name: m}}";

}  // namespace

TEST_CASE("problems of a manifest's entry have their code and place", "[descriptor]") {
    check_rows(
        kDocker,
        {
            {"a string", "  - m\n", {"E031 2:57", "E011 4:5"}},
            {"no name", "  - manifest: {services: {s: {image: x}}}\n", {"E031 2:57", "E035 4:5"}},
            {"no content", "  - name: m\n", {"E035 4:5"}},
            {"content that is only a comment", "  - name: m\n    manifest:\n      # later\n", {"E035 5:5"}},
            {"content that is a string", "  - name: m\n    manifest: x\n", {"E011 5:15"}},
            {"an unknown key",
             "  - name: m\n    kind: x\n    manifest: {services: {s: {image: x}}}\n",
             {"E013 5:5"}},
            {"type is seen in the wild",
             "  - name: m\n    type: x\n    manifest: {services: {s: {image: x}}}\n",
             {}},
            {"a bad name",
             "  - name: M\n    manifest: {services: {s: {image: x}}}\n",
             {"E031 2:57", "E012 4:11", "W034 4:11"}},
            {"the same name twice",
             "  - name: m\n    manifest: {services: {s: {image: x}}}\n  - name: m\n    manifest: {services: "
             "{s: {image: x}}}\n",
             {"E032 6:11", "W034 6:11"}},
            {"one that nobody uses",
             "  - name: m\n    manifest: {services: {s: {image: x}}}\n  - name: n\n    manifest: {services: "
             "{t: {image: x}}}\n",
             {"W034 6:11"}},
            {"another engine's",
             "  - name: m\n    manifest: {apiVersion: v1, kind: Pod, metadata: {name: m}}\n",
             {"E036 2:57"}},
            {"neither compose nor Kubernetes", "  - name: m\n    manifest: {version: '3'}\n", {"E038 5:16"}},
            {"services without one", "  - name: m\n    manifest: {services: {}}\n", {"E038 5:26"}},
            {"services that hold nothing", "  - name: m\n    manifest: {services: }\n", {"E038 5:16"}},
        }
    );
    check_rows(
        kKubernetes,
        {
            {"no kind", "  - name: m\n    manifest: {apiVersion: v1, metadata: {name: m}}\n", {"E037 5:16"}},
            {"no metadata", "  - name: m\n    manifest: {apiVersion: v1, kind: Pod}\n", {"E037 5:16"}},
            {"metadata without a name",
             "  - name: m\n    manifest: {apiVersion: v1, kind: Pod, metadata: {labels: {}}}\n",
             {"E037 5:54"}},
            {"another metadata.name",
             "  - name: m\n    manifest: {apiVersion: v1, kind: Pod, metadata: {name: n}}\n",
             {"W039 5:60"}},
            {"an anchor from outside",
             "  - name: m\n    manifest: {apiVersion: v1, kind: Pod, metadata: {name: m}, spec: {a: &x 1, b: "
             "*x}}\n",
             {}},
        }
    );
    CHECK(
        places("name: a\nx-icos: &x {version: 1}\ncomponents: [{name: c, type: kubernetes, manifests: "
               "[{name: m}]}]\nmanifests:\n  - name: m\n"
               "    manifest: {apiVersion: v1, kind: Pod, metadata: {name: m}, spec: *x}\n"
        ) == Places{"C010 6:70"}
    );
}

TEST_CASE("engines must agree", "[descriptor]") {
    const std::string both = fmt::format(
        "  - name: m-docker\n    manifest: {}\n  - name: m-kubernetes\n    manifest: {}\n",
        kCompose,
        "{apiVersion: v1, kind: Pod, metadata: {name: m-kubernetes}}"
    );
    check_rows(
        kMultiple,
        {
            {"a manifest for each", both, {}},
            {"suffixes that contradict",
             "  - name: m-docker\n    manifest: {apiVersion: v1, kind: Pod, metadata: {name: m-docker}}\n  - "
             "name: m-kubernetes\n    manifest: {services: {s: {image: x}}}\n",
             {"E029 4:11", "E029 6:11"}},
            {"nothing for docker",
             "  - name: m-docker\n    manifest: {apiVersion: v1, kind: Pod, metadata: {name: m-docker}}\n  - "
             "name: m-kubernetes\n    manifest: {apiVersion: v1, kind: Service, metadata: {name: "
             "m-kubernetes}}\n",
             {"E028 2:30", "I030 2:59", "E029 4:11"}},
        }
    );
    CHECK(
        places("name: a\ncomponents: [{name: c, type: multiple, manifests: [{name: m}]}]\nmanifests: [{name: "
               "m, manifest: {services: {s: {image: x}}}}]\n") == Places{"E028 2:30"}
    );
    CHECK(
        places(
            "name: a\ncomponents: [{name: c, type: manifest, manifests: [{name: m}]}]\nmanifests: [{name: m, "
            "manifest: " +
            std::string(kPod) + "}]\n"
        ) == Places{"W024 2:30"}
    );
}

TEST_CASE("docker and kubernetes do not mix; the places are those of the contract", "[descriptor]") {
    const std::string text =
        "name: a                                                     # line 1\n"
        "components:\n"
        "  - name: c1\n"
        "    type: kubernetes\n"
        "    manifests: [{name: m1}]\n"
        "  - name: c2\n"
        "    type: docker\n"
        "    manifests: [{name: m2}]\n"
        "    requirements: {memory: 200Q, cpuu: 1}\n"
        "manifests:\n"
        "  - name: m1\n"
        "    manifest: {apiVersion: v1, kind: Pod, metadata: {name: m1}}\n";

    CHECK(places(text) == Places{"E027 7:11", "E031 8:24", "E043 9:28", "E040 9:34"});
    CHECK(first(text, "E027").related.at(0).line == 4);
    CHECK(first(text, "E031").path == "components[1].manifests[0].name");
    CHECK(first(text, "E040").hint == "did you mean \"cpu\"?");
}

TEST_CASE("an unknown manifest is reported with the nearest one and its line", "[descriptor]") {
    const std::string text =
        "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: fronted}]}]\nmanifests: [{name: "
        "frontend, manifest: " +
        std::string(kCompose) + "}]\n";

    const Diagnostic error = first(text, "E031");

    CHECK(
        to_line(error) ==
        "2:57: error: manifests: no manifest is named \"fronted\"; did you mean \"frontend\" (line 3)? [E031]"
    );
    CHECK(error.related.at(0).line == 3);
}

TEST_CASE("a manifest belongs to one component, once", "[descriptor]") {
    const std::string twice =
        "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}, {name: m}]}\n  - {name: d, "
        "type: docker, manifests: [{name: m}]}\n"
        "manifests: [{name: m, manifest: " +
        std::string(kCompose) + "}]\n";

    CHECK(places(twice) == Places{"E033 3:59", "E033 4:48"});
    CHECK(first(twice, "E033").related.at(0).line == 3);
}

TEST_CASE("requirements below the reservations are a warning at the value", "[descriptor]") {
    const std::string text =
        "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}], requirements: {cpu: 0.1, "
        "memory: 1Mi}}]\nmanifests:\n"
        "  - name: m\n    manifest:\n      services:\n        s:\n          image: x\n          deploy:\n    "
        "        replicas: 2\n"
        "            resources:\n              reservations: {cpus: '0.1', memory: 2m}\n";

    CHECK(places(text) == Places{"W049 2:82", "W049 2:95"});
    CHECK(first(text, "W049").related.at(0).line == 12);
    CHECK(first(text, "W049").hint == "write 200m");
}

TEST_CASE("requirements of kubernetes are compared with the sum of its manifests", "[descriptor]") {
    const std::string text =
        "name: a\ncomponents:\n  - name: c\n    type: kubernetes\n    manifests: [{name: m}, {name: n}]\n"
        "    requirements: {cpu: 1.9, memory: 5Mi}\nmanifests:\n"
        "  - name: m\n    manifest: {apiVersion: apps/v1, kind: Deployment, metadata: {name: m}, spec: "
        "{replicas: 3, "
        "template: {spec: {containers: [{resources:\n      {requests: {cpu: 0.5, memory: 1Mi}}}]}}}}\n"
        "  - name: n\n    manifest: {apiVersion: v1, kind: Pod, metadata: {name: n}, spec: {containers: "
        "[{resources:\n"
        "      {requests: {cpu: 500m, memory: 2Mi}}}]}}\n";

    const Diagnostic warning = first(text, "W049");

    CHECK(places(text) == Places{"W049 6:25"});
    CHECK(warning.hint == "write 2");
    REQUIRE(warning.related.size() == 2);
    CHECK(warning.related[0].line == 10);
    CHECK(warning.related[1].line == 13);
}

TEST_CASE("who provides a service is told by who owns it", "[descriptor]") {
    const std::string head =
        "name: a\ncomponents:\n  - {name: c, type: kubernetes, manifests: [{name: m}], communication: "
        "[{incoming: svc}]}\n";
    const std::string tail =
        "manifests:\n  - {name: m, manifest: {apiVersion: v1, kind: Pod, metadata: {name: m}}}\n"
        "  - {name: svc, manifest: {apiVersion: v1, kind: Service, metadata: {name: svc}}}\n";

    CHECK(
        places(
            head +
            "  - {name: d, type: kubernetes, manifests: [{name: svc}], communication: [{outgoing: svc}]}\n" +
            tail
        ) == Places{}
    );
    CHECK(
        places(head + "  - {name: d, type: kubernetes, manifests: [{name: svc}]}\n" + tail) ==
        Places{"W076 3:84"}
    );
    CHECK(
        places("name: a\ncomponents:\n  - {name: c, type: kubernetes, manifests: [{name: m}], communication: "
               "[{outgoing: m}]}\nmanifests:\n"
               "  - {name: m, manifest: {apiVersion: v1, kind: Pod, metadata: {name: m}}}\n"
        ) == Places{"W074 3:84"}
    );
}

TEST_CASE("legacy layouts are read with a warning", "[descriptor]") {
    const std::string header = "name: a\ncomponents: [{name: c, type: kubernetes, manifests: [{name: m}]}]\n";

    const Parsed inline_object =
        test::parsed(header + "manifests:\n  - apiVersion: v1\n    kind: Pod\n    metadata: {name: m}\n");
    const Parsed documents = test::parsed(
        header +
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: m\n---\napiVersion: v1\nkind: Service\nmetadata: "
        "{name: m}\n"
    );

    CHECK(
        places(header + "manifests:\n  - apiVersion: v1\n    kind: Pod\n    metadata: {name: m}\n") ==
        Places{"W016 4:5"}
    );
    REQUIRE(inline_object.application.has_value());
    CHECK(
        inline_object.application->components[0].manifests[0].original ==
        "    apiVersion: v1\n    kind: Pod\n    metadata: {name: m}\n"
    );
    REQUIRE(documents.application.has_value());
    CHECK(documents.application->components[0].manifests.size() == 2);
    CHECK(documents.application->components[0].services == std::vector<std::string>{"m"});
    CHECK(
        places(header + "manifests: [{name: m, manifest: " + std::string(kPod) + "}]\n---\nfoo: 1\n") ==
        Places{"W016 5:1"}
    );
    CHECK(
        places(
            "---\nfoo: 1\n---\n" + header + "manifests: [{name: m, manifest: " + std::string(kPod) + "}]\n"
        ) == Places{"W016 2:1"}
    );
}

TEST_CASE("the header profile makes warnings of what is wrong in manifests", "[descriptor]") {
    const Options header{.profile = Profile::header};
    const std::string without = "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}]}]\n";

    CHECK(places(without) == Places{"E015 1:1"});
    CHECK(test::parsed(without, header).application.has_value());
    CHECK(test::parsed(without + "manifests: [{name: m, manifest: {services: {s: {build: .}}}}]\n", header)
              .application.has_value());
    CHECK(
        first(without + "manifests: [{name: m, manifest: {services: {s: {build: .}}}}]\n", "C004", header)
            .severity == Severity::warning
    );
    CHECK_FALSE(test::parsed("name: a\ncomponents: [{name: c, type: dock, manifests: [{name: m}]}]\n", header)
                    .application.has_value());
}
