// SPDX-License-Identifier: Apache-2.0
#include "contradictions.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace icos;
using config::Type;

namespace {

/// Places of what is wrong with these values.
std::vector<std::string> places(
    const std::string& plain,
    const std::string& insecure,
    const std::string& certificate,
    const std::string& enabled
) {
    config::Config config;
    config.sections.emplace(
        "listeners",
        config::defaults({{
            {"plain_address", Type::text, plain, ""},
            {"insecure", Type::boolean, insecure, ""},
            {"operator_certificate", Type::text, certificate, ""},
            {"operator_key", Type::text, "", ""},
        }})
    );
    config.sections.emplace("modules", config::defaults({{{"enabled", Type::list, enabled, ""}}}));
    ModuleDescriptor fleet;
    fleet.name = "fleet";
    std::vector<std::string> found;
    for (const config::Problem& problem : controller::contradictions(config, {fleet}))
        found.push_back(problem.place);
    return found;
}

}  // namespace

TEST_CASE("plain HTTP is for loopback, unless the operator says otherwise", "[controller]") {
    CHECK(places("127.0.0.1", "false", "", "fleet").empty());
    CHECK(places("::1", "false", "", "fleet").empty());
    CHECK(places("", "false", "", "fleet").empty());
    CHECK(places("0.0.0.0", "true", "", "fleet").empty());
    CHECK(places("0.0.0.0", "false", "", "fleet") == std::vector<std::string>{"listeners.plain_address"});
    CHECK(places("10.0.0.1", "false", "", "fleet") == std::vector<std::string>{"listeners.plain_address"});
}

TEST_CASE("all contradictions are told at once", "[controller]") {
    CHECK(
        places("0.0.0.0", "false", "/tls.pem", "fleet, flet") ==
        std::vector<std::string>{
            "listeners.plain_address", "listeners.operator_certificate", "modules.enabled"
        }
    );
}
