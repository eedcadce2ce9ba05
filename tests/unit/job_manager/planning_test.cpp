// SPDX-License-Identifier: Apache-2.0
#include "job_manager/planning.hpp"

#include "matchmaker/capacity_matchmaker.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::job_manager;

namespace {

constexpr std::uint64_t kGi = 1ULL << 30U;

Topology nodes(std::vector<std::pair<std::string, std::uint64_t>> list) {
    Topology topology;
    for (const auto& [name, gi] : list) {
        Node node;
        node.id = NodeId{name};
        node.name = name;
        node.state = NodeState::ready;
        node.engine = "docker";
        node.labels["at"] = name;
        node.cpu_milli = 4000;
        node.memory_bytes = gi * kGi;
        topology.nodes.push_back(std::move(node));
    }
    return topology;
}

descriptor::Component needing(const std::string& name, std::uint64_t gi) {
    descriptor::Component component;
    component.name = name;
    component.requirements.memory = descriptor::Quantity{gi * kGi, std::to_string(gi) + "Gi"};
    return component;
}

PlanInput input(std::vector<descriptor::Component> components, std::vector<Home> homes) {
    PlanInput made;
    auto application = std::make_shared<descriptor::Application>();
    application->components = std::move(components);
    made.request.application = std::move(application);
    made.homes = std::move(homes);
    return made;
}

Home home(const std::string& component, const std::string& node, std::uint64_t gi) {
    return {component, 0, NodeId{node}, Claim{0, gi * kGi, {}, {}}, false};
}

const ReplicaDecision& decision(const PlaceResult& result, const std::string& component) {
    for (const auto& d : result.decisions) {
        if (d.component == component) return d;
    }
    throw std::runtime_error("no decision for " + component);
}

const matchmaker::CapacityMatchmaker kMatchmaker;

}  // namespace

TEST_CASE("what a moving replica leaves behind stays taken", "[job_manager]") {
    // a grows out of n1; b may only go to n1 and would fit there if a's old 3Gi were free at once.
    auto b = needing("b", 3);
    b.requirements.node_label = descriptor::NodeLabel{"at", {"n1"}};

    const auto result =
        plan(kMatchmaker, nodes({{"n1", 4}, {"n2", 8}}), input({needing("a", 6), b}, {home("a", "n1", 3)}));

    CHECK(decision(result, "a").node == NodeId{"n2"});
    CHECK_FALSE(decision(result, "b").node);
}

TEST_CASE("what cannot be updated keeps its old place and amount", "[job_manager]") {
    const auto result = plan(
        kMatchmaker, nodes({{"n1", 4}}), input({needing("a", 6), needing("b", 2)}, {home("a", "n1", 3)})
    );

    CHECK_FALSE(decision(result, "a").node);
    CHECK_FALSE(decision(result, "b").node);
}

TEST_CASE("what a generation drops stays taken until it is gone", "[job_manager]") {
    const auto result =
        plan(kMatchmaker, nodes({{"n1", 4}}), input({needing("new", 3)}, {home("old", "n1", 3)}));

    CHECK_FALSE(decision(result, "new").node);
}

TEST_CASE("an update in place takes the difference only", "[job_manager]") {
    const auto result = plan(kMatchmaker, nodes({{"n1", 4}}), input({needing("a", 4)}, {home("a", "n1", 3)}));

    CHECK(decision(result, "a").node == NodeId{"n1"});
}

TEST_CASE("the plan of a new application counts every placement of all others", "[job_manager]") {
    State state;
    App app;
    app.id = AppId{"a1"};
    app.name = "other";
    state.add(app);
    for (const bool removing : {false, true}) {
        Placement placement;
        placement.id = PlacementId{removing ? "p1" : "p2"};
        placement.app = app.id;
        placement.node = NodeId{"n1"};
        placement.claim.memory_bytes = 2 * kGi;
        placement.removing = removing;
        state.add(placement);
    }
    auto wanted = std::make_shared<descriptor::Application>();
    wanted->components = {needing("a", 1)};

    const PlanInput made = plan_input(state, nullptr, "hello", wanted, {}, from_ms(1));

    CHECK(made.homes.empty());
    CHECK(made.request.claims.at(NodeId{"n1"}).size() == 2);
    CHECK(made.request.app == "hello");
}

TEST_CASE("a plan with few ways to choose is quick, one with many is not", "[job_manager][planning]") {
    std::vector<std::pair<std::string, std::uint64_t>> many;
    for (int i = 0; i < 17; ++i) many.emplace_back("n" + std::to_string(i), 4);
    descriptor::Component replicated = needing("web", 1);
    replicated.options.replicas = 9;
    descriptor::Component labelled = needing("web", 1);
    labelled.requirements.node_label =
        descriptor::NodeLabel{"at", {"a", "b", "c", "d", "e", "f", "g", "h", "i"}};

    CHECK(is_quick({}, input({needing("web", 1)}, {})));
    CHECK(is_quick(nodes({{"a", 4}, {"b", 4}}), input({needing("web", 1), needing("db", 1)}, {})));
    CHECK_FALSE(is_quick(nodes(many), input({needing("web", 1)}, {})));
    CHECK(is_quick(nodes({{"a", 4}}), input({replicated}, {})));
    CHECK_FALSE(is_quick(nodes({{"a", 4}, {"b", 4}}), input({replicated}, {})));
    CHECK_FALSE(is_quick(nodes({{"a", 4}, {"b", 4}}), input({labelled}, {})));

    PlanInput scaled = input({needing("web", 1)}, {});
    scaled.request.replicas["web"] = 17;
    CHECK_FALSE(is_quick(nodes({{"a", 4}}), scaled));
}
