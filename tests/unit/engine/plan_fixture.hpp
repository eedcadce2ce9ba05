// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/container_plan.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace icos::test {

inline agent::DesiredPlacement placement_of(std::vector<std::string> manifests) {
    agent::DesiredPlacement out;
    out.placement = {"11111111-0000-4000-8000-000000000000"};
    out.app_id = {"abcdef01-2345-4000-8000-000000000000"};
    out.app = "hello";
    out.component = "front";
    out.generation = 3;
    out.digest = "0123456789abcdef0123";
    for (std::size_t i = 0; i < manifests.size(); ++i) {
        out.manifests.push_back({"m" + std::to_string(i), std::move(manifests[i])});
    }
    return out;
}

inline agent::PlacementPlan plan_of(const agent::DesiredPlacement& placement) {
    auto plan = agent::plan_placement(placement, "node-1");
    INFO((plan.has_error() ? describe(plan.error()) : std::string()));
    REQUIRE(plan.has_value());
    return std::move(*plan);
}

/// Plan of one manifest with one service `web`, whose members besides the image are `members`.
inline agent::ContainerPlan web_of(const std::string& members, const std::string& sections = "") {
    const std::string manifest = R"({"services":{"web":{"image":"demo/web:1")" +
                                 (members.empty() ? "" : "," + members) + "}}" +
                                 (sections.empty() ? "" : "," + sections) + "}";
    auto plan = plan_of(placement_of({manifest}));
    REQUIRE(plan.containers.size() == 1);
    return std::move(plan.containers.front());
}

inline boost::json::value json(std::string_view text) {
    return boost::json::parse(text);
}

}  // namespace icos::test
