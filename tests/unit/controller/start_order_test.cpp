// SPDX-License-Identifier: Apache-2.0
#include "icos/runtime/application.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace icos;

namespace {

ModuleDescriptor named(std::string_view name, std::vector<std::string_view> needs = {}) {
    ModuleDescriptor descriptor;
    descriptor.name = name;
    descriptor.needs = std::move(needs);
    return descriptor;
}

std::string order_of(const std::vector<ModuleDescriptor>& known, const std::vector<std::string>& enabled) {
    const auto order = start_order(known, enabled);
    if (order.has_error()) return stable_code(order.error());
    std::string names;
    for (const ModuleDescriptor* module : *order)
        names += (names.empty() ? "" : " ") + std::string(module->name);
    return names;
}

}  // namespace

TEST_CASE(
    "a module comes after everything it needs, whatever the order of the configuration", "[controller]"
) {
    const std::vector<ModuleDescriptor> known{
        named("jobs", {"fleet", "match"}), named("match", {"fleet"}), named("fleet")
    };

    CHECK(order_of(known, {"jobs", "match", "fleet"}) == "fleet match jobs");
    CHECK(order_of(known, {"fleet", "match", "jobs"}) == "fleet match jobs");
    CHECK(order_of(known, {"match", "fleet"}) == "fleet match");
    CHECK(order_of(known, {"fleet", "fleet"}) == "fleet");
    CHECK(order_of(known, {}).empty());
}

TEST_CASE("unknown modules, needs that are off and circles are refused by name", "[controller]") {
    const std::vector<ModuleDescriptor> known{
        named("a", {"b"}), named("b", {"a"}), named("c", {"d"}), named("d"), named("e", {"e"})
    };

    CHECK(order_of(known, {"x"}) == "config.unknown_module");
    CHECK(order_of(known, {"c"}) == "config.module_missing");
    CHECK(order_of(known, {"a", "b"}) == "config.module_cycle");
    CHECK(order_of(known, {"e"}) == "config.module_cycle");
    const auto missing = start_order(known, {"c"});
    CHECK(missing.error().detail.find("'c'") != std::string::npos);
    CHECK(missing.error().detail.find("'d'") != std::string::npos);
}
