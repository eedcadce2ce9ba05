// SPDX-License-Identifier: Apache-2.0
#include "continuum.hpp"
#include "matchmaker/capacity_matchmaker.hpp"
#include "matchmaker/rules.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <set>

using namespace icos;
using icos::matchmaker::CapacityMatchmaker;

namespace {

constexpr int kCases = 400;

/// Topologies and requests of all shapes: scarce and ample, labelled, with devices, groups, replicas and
/// homes.
class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }

    Topology topology() {
        std::vector<Node> nodes;
        const std::size_t count = 1 + below(chance(10) ? 60 : 6);
        for (std::size_t i = 0; i < count; ++i) {
            Node node = test::node(
                "n" + std::to_string(i),
                static_cast<std::uint32_t>(1000 * (1 + below(8))),
                test::kGi * (1 + below(8))
            );
            if (chance(20)) node.architecture = "arm64";
            if (chance(10)) node.state = NodeState::lost;
            if (chance(5)) node.cordoned = true;
            if (chance(5)) node.engine.clear();
            node.labels["site"] = "s" + std::to_string(below(3));
            if (chance(30)) node.devices.assign(1 + below(2), agent::Device{"cam", "/dev/video0"});
            nodes.push_back(std::move(node));
        }
        return test::topology(std::move(nodes));
    }

    PlaceRequest request(const Topology& topology) {
        std::vector<descriptor::Component> components;
        const std::size_t count = 1 + below(6);
        for (std::size_t i = 0; i < count; ++i) {
            auto component = test::component("c" + std::to_string(i));
            if (chance(70)) component.requirements.memory = test::memory(test::kMi * (1 + below(5000)), "");
            if (chance(50)) component.requirements.cpu = test::cpu(100 * (1 + below(40)), "");
            if (chance(15)) component.requirements.devices = {"cam"};
            if (chance(20)) component.requirements.architecture = "x86_64";
            if (chance(20)) component.requirements.node_label = descriptor::NodeLabel{"site", {"s0", "s1"}};
            if (chance(25)) component.host_ports = {{"", static_cast<std::uint16_t>(8080 + below(2)), "tcp"}};
            if (chance(30)) component.options.replicas = static_cast<std::uint32_t>(1 + below(4));
            components.push_back(std::move(component));
        }
        std::vector<std::pair<std::size_t, std::size_t>> edges;
        if (count > 1 && chance(50)) edges.emplace_back(below(count), below(count));
        PlaceRequest made = test::request(std::move(components), std::move(edges));
        for (const Node& node : topology.nodes) {
            if (chance(30)) made.claims[node.id] = {Claim{.cpu_milli = 500, .memory_bytes = test::kGi / 2}};
        }
        if (chance(40)) {
            const Node& home = topology.nodes[below(topology.nodes.size())];
            made.existing = {{"c0", 0, home.id, false}};
        }
        return made;
    }

private:
    std::mt19937_64 random_;
};

std::string printed(const PlaceResult& result) {
    std::string text;
    for (const ReplicaDecision& d : result.decisions) {
        text += d.component + "/" + std::to_string(d.replica) + " -> " + (d.node ? d.node->value : "-") +
                " " + d.reason + "\n";
        for (const Rejection& r : d.rejections)
            text += "  " + r.node_name + " " + r.message + " " + r.relaxation + "\n";
        for (const auto& [name, score] : d.candidates)
            text += "  + " + name + " " + std::to_string(score) + "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("whatever is asked, no node is over-committed and every rule holds", "[matchmaker][property]") {
    for (int seed = 0; seed < kCases; ++seed) {
        Generator generator(static_cast<std::uint64_t>(seed));
        const Topology topology = generator.topology();
        const PlaceRequest request = generator.request(topology);

        const PlaceResult result = CapacityMatchmaker().place(topology, request);

        INFO("seed " << seed << "\n" << printed(result));
        std::map<NodeId, matchmaker::Load> loads;
        for (const auto& [node, claims] : request.claims) {
            for (const Claim& claim : claims) loads[node].add(claim);
        }
        for (const ReplicaDecision& decision : result.decisions) {
            if (!decision.node) continue;
            const Node* node = topology.find_name(decision.node->value.substr(3));
            REQUIRE(node != nullptr);
            REQUIRE(matchmaker::has_room(*node, loads[node->id], decision.claim));
            loads[node->id].add(decision.claim);
            const auto& components = request.application->components;
            const auto component = std::find_if(components.begin(), components.end(), [&](const auto& c) {
                return c.name == decision.component;
            });
            const auto demand = matchmaker::make_demand(*component, decision.replica);
            const bool stays = decision.component == "c0" && decision.replica == 0 &&
                               !request.existing.empty() && request.existing[0].node == node->id;
            REQUIRE(matchmaker::suits(*node, demand, result.engine, stays));
        }
        for (const auto& [a, b] : request.application->edges) {
            std::set<std::string> homes;
            for (const ReplicaDecision& decision : result.decisions) {
                const auto& components = request.application->components;
                if (decision.component != components[a].name && decision.component != components[b].name)
                    continue;
                if (a != b) homes.insert(decision.node ? decision.node->value : "-");
            }
            REQUIRE(homes.size() <= 1);
        }
    }
}

TEST_CASE("an unplaced replica is refused by every node, with a reason", "[matchmaker][property]") {
    for (int seed = 0; seed < kCases; ++seed) {
        Generator generator(static_cast<std::uint64_t>(seed));
        const Topology topology = generator.topology();
        const PlaceResult result = CapacityMatchmaker().place(topology, generator.request(topology));

        INFO("seed " << seed << "\n" << printed(result));
        for (const ReplicaDecision& decision : result.decisions) {
            REQUIRE_FALSE(decision.reason.empty());
            if (!decision.node) REQUIRE(decision.rejections.size() == topology.nodes.size());
        }
    }
}

TEST_CASE("the order of the nodes changes nothing, nor does asking twice", "[matchmaker][property]") {
    std::mt19937_64 random(7);
    for (int seed = 0; seed < kCases; ++seed) {
        Generator generator(static_cast<std::uint64_t>(seed));
        Topology topology = generator.topology();
        const PlaceRequest request = generator.request(topology);
        const std::string first = printed(CapacityMatchmaker().place(topology, request));

        CHECK(printed(CapacityMatchmaker().place(topology, request)) == first);
        std::shuffle(topology.nodes.begin(), topology.nodes.end(), random);
        INFO("seed " << seed);
        REQUIRE(printed(CapacityMatchmaker().place(topology, request)) == first);
    }
}

TEST_CASE("asking for more never adds a candidate", "[matchmaker][property]") {
    for (int seed = 0; seed < kCases; ++seed) {
        Generator generator(static_cast<std::uint64_t>(seed));
        const Topology topology = generator.topology();
        const PlaceRequest request = generator.request(topology);
        PlaceRequest tighter = request;
        auto application = std::make_shared<descriptor::Application>(*request.application);
        auto& asks = application->components[generator.below(application->components.size())].requirements;
        switch (generator.below(4)) {
            case 0:
                asks.memory = test::memory((asks.memory ? asks.memory->value : 0) + test::kGi, "");
                break;
            case 1:
                asks.cpu = test::cpu((asks.cpu ? asks.cpu->value : 0) + 1000, "");
                break;
            case 2:
                asks.devices.emplace_back("cam");
                break;
            default:
                asks.architecture = "x86_64";
                break;
        }
        tighter.application = application;

        const PlaceResult before = CapacityMatchmaker().place(topology, request);
        const PlaceResult after = CapacityMatchmaker().place(topology, tighter);

        REQUIRE(before.decisions.size() == after.decisions.size());
        for (std::size_t i = 0; i < before.decisions.size(); ++i) {
            std::set<std::string> had;
            for (const auto& [name, score] : before.decisions[i].candidates) had.insert(name);
            for (const auto& [name, score] : after.decisions[i].candidates) {
                INFO("seed " << seed << " " << before.decisions[i].component << " " << name);
                REQUIRE(had.contains(name));
            }
        }
    }
}

TEST_CASE("the exact search never places less than the greedy one", "[matchmaker][property]") {
    matchmaker::SearchLimits greedy_only;
    greedy_only.exact_units = 0;
    const auto placed = [](const PlaceResult& result) {
        return std::count_if(result.decisions.begin(), result.decisions.end(), [](const auto& d) {
            return d.node.has_value();
        });
    };
    for (int seed = 0; seed < kCases; ++seed) {
        Generator generator(static_cast<std::uint64_t>(seed));
        const Topology topology = generator.topology();
        const PlaceRequest request = generator.request(topology);

        INFO("seed " << seed);
        REQUIRE(
            placed(CapacityMatchmaker().place(topology, request)) >=
            placed(CapacityMatchmaker(greedy_only).place(topology, request))
        );
    }
}
