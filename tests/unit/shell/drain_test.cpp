// SPDX-License-Identifier: Apache-2.0
#include "commands/drain.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace icos::shell;

TEST_CASE("a drain lists what stays on the node, and why", "[shell]") {
    const auto placements = boost::json::parse(R"json([
        {"project": "default", "app": "shop", "component": "db", "drain": "stays: what it keeps is on the node"},
        {"project": "lab", "app": "cam", "component": "view", "drain": "stays: no node fits (3 considered)"},
        {"project": "default", "app": "shop", "component": "web", "drain": "moves"}])json");

    CHECK(
        staying_lines(placements.as_array()) ==
        "  shop/db       stays: what it keeps is on the node\n"
        "  lab/cam/view  stays: no node fits (3 considered)\n"
    );
}
