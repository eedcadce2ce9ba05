// SPDX-License-Identifier: Apache-2.0
#include "commands/rollout.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::shell;

namespace {

boost::json::array items() {
    return boost::json::parse(R"([
        {"generation": 3, "at": "2026-01-01T10:00:00Z", "actor": "token:ops", "components": 2, "state": "current"},
        {"generation": 1, "at": null, "actor": "", "components": null, "state": "kept"}
    ])")
        .as_array();
}

}  // namespace

TEST_CASE("the history is a table in which the unknown of old generations is a dash", "[shell]") {
    const WallTime now = *parse_rfc3339("2026-01-01T10:05:00Z");

    CHECK(
        history_text(items(), now, Format::table) ==
        "GENERATION  AGE    ACTOR      COMPONENTS  STATE\n"
        "3           5 min  token:ops  2           current\n"
        "1           -      -          -           kept\n"
    );
    const std::string wide = history_text(items(), now, Format::wide);
    CHECK(wide.find("current  2026-01-01T10:00:00Z\n") != std::string::npos);
    CHECK(history_text(items(), now, Format::name) == "3\n1\n");
}

TEST_CASE("an undo names a generation only if one was asked for", "[shell]") {
    CHECK(rollback_body(std::nullopt).empty());
    CHECK(rollback_body(7) == R"({"generation":7})");
}
