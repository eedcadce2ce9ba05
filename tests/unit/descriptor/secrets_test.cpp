// SPDX-License-Identifier: Apache-2.0
#include "icos/descriptor/secrets.hpp"

#include "icos/descriptor/descriptor.hpp"
#include "places.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

using namespace icos::descriptor;
using namespace icos::descriptor::test;
using Places = std::vector<std::string>;

namespace {

/// A descriptor whose manifest ends with these lines, indented by six spaces.
std::string with_manifest_lines(const std::string& lines) {
    return "name: hello\n"
           "components:\n"
           "  - {name: web, type: docker, manifests: [{name: web}]}\n"
           "manifests:\n"
           "  - name: web\n"
           "    manifest:\n"
           "      services:\n"
           "        web: {image: i, secrets: [db]}\n" +
           lines;
}

const std::string kMask = "\"" + std::string(kMaskedValue) + "\"";

/// The content that the agent would get for secret db of the first manifest.
std::string content_of(const std::string& text) {
    const Parsed parsed = test::parsed(text);
    INFO(to_json(parsed.diagnostics));
    REQUIRE(parsed.application);
    const auto compose = boost::json::parse(parsed.application->components[0].manifests[0].compose);
    return std::string(compose.at("secrets").at("db").at("content").as_string());
}

}  // namespace

TEST_CASE(
    "peers 33: the value of a secret is masked however it is written, the rest stays", "[descriptor][secrets]"
) {
    const std::vector<std::pair<std::string, std::string>> forms{
        {"      secrets: {db: {content: hunter2}}\n", "      secrets: {db: {content: " + kMask + "}}\n"},
        {"      secrets:\n        db:\n          content: 'hunter2' # why\n",
         "      secrets:\n        db:\n          content: " + kMask + " # why\n"},
        {"      secrets:\n        db:\n          content: \"hunt\\\n            er2\"\n",
         "      secrets:\n        db:\n          content: " + kMask + "\n"},
        {"      secrets:\n        db:\n          content: |\n            hunter2\n            more\n      "
         "x-a: b\n",
         "      secrets:\n        db:\n          content: " + kMask + "\n      x-a: b\n"},
        {"      x-p: &pw hunter2\n      secrets: {db: {content: *pw}}\n",
         "      x-p: &pw " + kMask + "\n      secrets: {db: {content: *pw}}\n"},
        {"      x-s: &s {content: hunter2}\n      secrets: {db: {<<: *s}}\n",
         "      x-s: &s {content: " + kMask + "}\n      secrets: {db: {<<: *s}}\n"},
        {"      secrets: {db: {content: 12345}}\n", "      secrets: {db: {content: " + kMask + "}}\n"},
    };
    for (const auto& [written, expected] : forms) {
        INFO(written);
        const auto shown = masked(with_manifest_lines(written));
        REQUIRE(shown);
        CHECK(*shown == with_manifest_lines(expected));
    }
}

TEST_CASE("peers 33: values of a Kubernetes Secret are masked", "[descriptor][secrets]") {
    const std::string text =
        "name: a\ncomponents:\n  - {name: c, type: kubernetes, manifests: [{name: m}]}\n"
        "manifests:\n  - name: m\n    manifest:\n      apiVersion: v1\n      kind: Secret\n"
        "      metadata: {name: m}\n      data: {a: aHVudGVyMg==}\n      stringData:\n        b: hunter2\n";
    const auto shown = masked(text);
    REQUIRE(shown);
    CHECK(shown->find("hunter2") == std::string::npos);
    CHECK(shown->find("aHVudGVyMg") == std::string::npos);
    CHECK(shown->find("metadata: {name: m}") != std::string::npos);
}

TEST_CASE("a text without secrets is shown byte for byte", "[descriptor][secrets]") {
    const std::string text = with_manifest_lines("      configs: {c: {content: open}}\n");
    CHECK(masked(text) == text);
}

TEST_CASE("what cannot be read is not shown", "[descriptor][secrets]") {
    CHECK_FALSE(masked("manifests: [\nsecrets: {a: {content: hunter2}}"));
    CHECK_FALSE(masked("a: \xff"));
}

TEST_CASE(
    "a masked descriptor is refused, at the value, so that a mask never becomes a password",
    "[descriptor][secrets]"
) {
    const auto shown = masked(with_manifest_lines("      secrets: {db: {content: hunter2}}\n"));
    REQUIRE(shown);
    CHECK(places(*shown) == Places{"C011 9:31"});
}

TEST_CASE("a secret larger than 64 KiB is refused at its place", "[descriptor][secrets]") {
    const std::string large(kMaxSecretBytes + 1, 'x');
    CHECK(
        places(with_manifest_lines("      secrets: {db: {content: " + large + "}}\n")) == Places{"C012 9:31"}
    );
    const std::string most(kMaxSecretBytes, 'x');
    CHECK(places(with_manifest_lines("      secrets: {db: {content: " + most + "}}\n")).empty());
}

TEST_CASE("files and variables of secrets are found with their places", "[descriptor][secrets]") {
    const auto found = secret_references(with_manifest_lines(
        "      secrets:\n        db: {file: ./db.txt}\n        key:\n          environment: API_KEY\n"
        "        own: {content: x}\n      configs: {c: {file: ./not-a-secret}}\n"
    ));
    REQUIRE(found.size() == 2);
    CHECK(found[0].name == "db");
    CHECK(found[0].source == SecretReference::Source::file);
    CHECK(found[0].from == "./db.txt");
    CHECK(found[0].line == 10);
    CHECK(found[0].column == 20);
    CHECK(found[0].path == "manifests[0].manifest.secrets.db.file");
    CHECK(found[1].name == "key");
    CHECK(found[1].source == SecretReference::Source::environment);
    CHECK(found[1].from == "API_KEY");
}

TEST_CASE(
    "a secret put in place of its file reaches the container as it was, whatever it holds",
    "[descriptor][secrets]"
) {
    for (const std::string& form :
         {std::string("      secrets: {db: {file: ./db.txt}}\n"),
          std::string("      secrets:\n        db:\n          file: \"./db.txt\"\n      x-end: here\n"),
          std::string(
              "      secrets:\n        db:\n          file: >-\n            ./db.txt\n      x-end: here\n"
          )}) {
        const std::string text = with_manifest_lines(form);
        const auto found = secret_references(text);
        REQUIRE(found.size() == 1);
        for (const std::string& content :
             {std::string("plain"),
              std::string("line\nbreaks\n\n"),
              std::string("quotes \" ' and \\ backslash"),
              std::string("$HOME ${X} $$ # : - {}"),
              std::string("\t\x01 control \x7f \xc2\x85 nel"),
              std::string("  spaces  "),
              std::string("Schl\xc3\xbcssel \xf0\x9f\x94\x91"),
              std::string("**"),
              std::string()}) {
            INFO(form << content);
            CHECK(content_of(with_secrets(text, found, {content})) == content);
        }
    }
}
