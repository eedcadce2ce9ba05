// SPDX-License-Identifier: Apache-2.0
#include "icos/descriptor/diagnostic.hpp"

#include <catch2/catch.hpp>

using namespace icos::descriptor;

namespace {

Diagnostic example() {
    Diagnostic diagnostic;
    diagnostic.code = "E031";
    diagnostic.line = 17;
    diagnostic.column = 13;
    diagnostic.path = "components[1].manifests[0].name";
    diagnostic.message = "manifests: no manifest is named \"a\"";
    return diagnostic;
}

}  // namespace

TEST_CASE("a diagnostic is one line for people", "[descriptor]") {
    Diagnostic diagnostic = example();
    CHECK(to_line(diagnostic) == "17:13: error: manifests: no manifest is named \"a\" [E031]");

    diagnostic.hint = "did you mean \"b\"?";
    diagnostic.severity = Severity::warning;
    CHECK(
        to_line(diagnostic) ==
        "17:13: warning: manifests: no manifest is named \"a\"; did you mean \"b\"? [E031]"
    );
}

TEST_CASE("diagnostics are a JSON array for programs", "[descriptor]") {
    Diagnostic diagnostic = example();
    diagnostic.related.push_back({40, "here"});

    CHECK(
        to_json({diagnostic}) ==
        R"([{"code":"E031","severity":"error","line":17,"column":13,"path":"components[1].manifests[0].name",)"
        R"("message":"manifests: no manifest is named \"a\"","hint":"","related":[{"line":40,"message":"here"}]}])"
    );
    CHECK(to_json({}) == "[]");
}

TEST_CASE("warnings and infos are no errors", "[descriptor]") {
    Diagnostic diagnostic = example();
    diagnostic.severity = Severity::info;
    CHECK_FALSE(has_errors({diagnostic}));
    CHECK(has_errors({diagnostic, example()}));
}
