// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/container_plan.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::agent;

namespace {

ServiceNode node(std::string name, std::vector<std::string> needs, bool required = true) {
    ServiceNode out{std::move(name), {}};
    for (std::string& need : needs)
        out.depends_on.push_back({std::move(need), StartCondition::started, required});
    return out;
}

}  // namespace

TEST_CASE(
    "services start after what they depend on and otherwise in the order of the text", "[engine][plan]"
) {
    const auto order =
        start_order({node("web", {"api"}), node("cache", {}), node("api", {"db", "cache"}), node("db", {})});

    REQUIRE(order.has_value());
    CHECK(*order == std::vector<std::string>{"db", "cache", "api", "web"});
}

TEST_CASE("a dependency cycle is named with its path", "[engine][plan]") {
    const auto order = start_order({node("x", {"a"}), node("a", {"b"}), node("b", {"c"}), node("c", {"a"})});

    REQUIRE(order.has_error());
    CHECK(order.error().code == errc::invalid);
    CHECK(order.error().detail == "depends_on has a cycle: a -> b -> c -> a");
}

TEST_CASE("a service that depends on itself is a cycle", "[engine][plan]") {
    CHECK(start_order({node("a", {"a"})}).has_error());
}

TEST_CASE("only a required dependency must exist", "[engine][plan]") {
    CHECK(start_order({node("a", {"ghost"}, false)}).has_value());
    const auto missing = start_order({node("a", {"ghost"})});
    REQUIRE(missing.has_error());
    CHECK(missing.error().detail.find("'ghost'") != std::string::npos);
}

TEST_CASE("a chain of thousands of services needs no deep stack", "[engine][plan]") {
    std::vector<ServiceNode> chain;
    for (int i = 0; i < 20'000; ++i) chain.push_back(node(std::to_string(i), {std::to_string(i + 1)}));
    chain.push_back(node("20000", {}));

    const auto order = start_order(chain);

    REQUIRE(order.has_value());
    CHECK(order->front() == "20000");
    CHECK(order->back() == "0");
}
