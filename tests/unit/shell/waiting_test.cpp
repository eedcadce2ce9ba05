// SPDX-License-Identifier: Apache-2.0
#include "commands/waiting.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace icos::shell;

TEST_CASE("progress shows each component with its node and what it does", "[shell]") {
    const auto app = boost::json::parse(R"json({"components": [
        {"name": "frontend", "placements": [{"node": "edge-2", "state": "preparing", "progress": "pulling image demo/web:1 38 %"}]},
        {"name": "backend", "placements": [{"node": "edge-2", "state": "running", "services": [{"health": "healthy"}]}]}]})json"
    );

    CHECK(
        progress_lines(app, false) ==
        "  frontend  edge-2  pulling image demo/web:1 38 %\n  backend   edge-2  running, healthy\n"
    );
}

TEST_CASE("what is pending names each node, what it lacks, and the closest", "[shell]") {
    const auto app = boost::json::parse(R"json({"components": [{"name": "worker", "placements": [
        {"node": "", "state": "pending", "reason": "no node fits (2 considered)", "rejections": [
            {"node": "edge-1", "message": "memory: needs 7Gi, 6.1Gi free", "relaxation": "5.8Gi would fit"},
            {"node": "edge-2", "message": "architecture: needs x86_64, is arm64", "relaxation": ""}]}]
}]
})json");

    CHECK(
        pending_lines(app) ==
        "  worker  pending: no node fits (2 considered)\n"
        "    edge-1  memory: needs 7Gi, 6.1Gi free         <- closest; 5.8Gi would fit\n"
        "    edge-2  architecture: needs x86_64, is arm64\n"
    );
}
