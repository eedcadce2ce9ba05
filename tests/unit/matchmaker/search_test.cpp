// SPDX-License-Identifier: Apache-2.0
#include "matchmaker/search.hpp"

#include "continuum.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::matchmaker;

namespace {

const descriptor::Component& any_component() {
    static const descriptor::Component instance = test::component("c");
    return instance;
}

Unit unit(std::uint32_t cpu, std::vector<std::size_t> nodes) {
    Unit made;
    made.demands = {Demand{.component = &any_component()}};
    made.claim.cpu_milli = cpu;
    made.nodes = std::move(nodes);
    return made;
}

std::size_t placed(const std::vector<std::optional<std::size_t>>& assignment) {
    std::size_t count = 0;
    for (const auto& node : assignment) count += node ? 1U : 0U;
    return count;
}

}  // namespace

TEST_CASE("the exact search finds the packing that a greedy choice misses", "[matchmaker]") {
    const Node a = test::node("a", 10);
    const Node b = test::node("b", 10);
    const std::vector<Unit> units{unit(6, {0, 1}), unit(5, {0, 1}), unit(5, {0, 1}), unit(4, {0, 1})};

    const auto assignment = assign({&a, &b}, {Load{}, Load{}}, units);

    CHECK(placed(assignment) == 4);
    CHECK(assignment[0] == assignment[3]);
    CHECK(assignment[1] == assignment[2]);
}

TEST_CASE("beyond the exact bounds one unit is moved to make room for another", "[matchmaker]") {
    const Node a = test::node("a", 10);
    const Node b = test::node("b", 9);
    SearchLimits limits;
    limits.exact_units = 0;
    // The first has two choices and takes the emptier node, which is the only one for the second.
    std::vector<Unit> units{unit(9, {0, 1}), unit(10, {0})};
    units[0].claim.memory_bytes = 1;
    units[1].nodes = {0, 0};

    const auto assignment = assign({&a, &b}, {Load{}, Load{}}, units, limits);

    CHECK(placed(assignment) == 2);
    CHECK(assignment[0] == 1U);
    CHECK(assignment[1] == 0U);
}

TEST_CASE("what has a home stays there although another node is emptier", "[matchmaker]") {
    const Node a = test::node("a", 1000);
    const Node b = test::node("b", 8000);
    std::vector<Unit> units{unit(500, {0, 1})};
    units[0].home = 0;

    CHECK(assign({&a, &b}, {Load{}, Load{}}, units)[0] == 0U);
}

TEST_CASE("a home without room is left", "[matchmaker]") {
    const Node a = test::node("a", 1000);
    const Node b = test::node("b", 8000);
    std::vector<Unit> units{unit(1500, {0, 1})};
    units[0].home = 0;

    CHECK(assign({&a, &b}, {Load{}, Load{}}, units)[0] == 1U);
}

TEST_CASE("placing everything matters more than staying", "[matchmaker]") {
    const Node a = test::node("a", 1000);
    const Node b = test::node("b", 500);
    std::vector<Unit> units{unit(500, {0, 1}), unit(1000, {0})};
    units[0].home = 0;

    const auto assignment = assign({&a, &b}, {Load{}, Load{}}, units);

    CHECK(assignment[0] == 1U);
    CHECK(assignment[1] == 0U);
}

TEST_CASE("load is spread evenly over equal nodes", "[matchmaker]") {
    const Node a = test::node("a");
    const Node b = test::node("b");
    const std::vector<Unit> units{unit(0, {0, 1}), unit(0, {0, 1}), unit(0, {0, 1}), unit(0, {0, 1})};

    const auto assignment = assign({&a, &b}, {Load{}, Load{}}, units);

    CHECK(std::count(assignment.begin(), assignment.end(), std::optional<std::size_t>(0U)) == 2);
}
