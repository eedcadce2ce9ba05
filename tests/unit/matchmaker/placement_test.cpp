// SPDX-License-Identifier: Apache-2.0
#include "continuum.hpp"
#include "matchmaker/capacity_matchmaker.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using icos::matchmaker::CapacityMatchmaker;
using test::component;
using test::kGi;
using test::node;
using test::request;
using test::topology;

namespace {

descriptor::Component needing(const std::string& name, std::uint64_t gi) {
    auto made = component(name);
    made.requirements.memory = test::memory(gi * kGi, std::to_string(gi) + "Gi");
    return made;
}

const Rejection* rejection(const ReplicaDecision& decision, const std::string& name) {
    for (const Rejection& r : decision.rejections) {
        if (r.node_name == name) return &r;
    }
    return nullptr;
}

std::string message(const ReplicaDecision& decision, const std::string& name) {
    const Rejection* found = rejection(decision, name);
    return found == nullptr ? "not rejected" : found->message;
}

}  // namespace

TEST_CASE("every node that cannot take a replica says why, and the closest what would fit", "[matchmaker]") {
    Node small = node("edge-1", 4000, 8 * kGi);
    Node arm = node("edge-2", 4000, 64 * kGi);
    arm.architecture = "arm64";
    Node cordoned = node("edge-3", 4000, 64 * kGi);
    cordoned.cordoned = true;
    auto worker = needing("worker", 7);
    worker.requirements.architecture = "x86_64";
    PlaceRequest asked = request({worker});
    asked.claims[small.id] = {Claim{.memory_bytes = 2 * kGi - 100 * test::kMi}};

    const PlaceResult result = CapacityMatchmaker().place(topology({small, arm, cordoned}), asked);

    REQUIRE(result.decisions.size() == 1);
    const ReplicaDecision& decision = result.decisions.front();
    CHECK_FALSE(decision.node);
    CHECK_FALSE(result.complete());
    CHECK(decision.reason == "no node fits (3 considered)");
    CHECK(decision.candidates.empty());
    CHECK(message(decision, "edge-1") == "memory: needs 7Gi, 6Gi free");
    CHECK(rejection(decision, "edge-1")->rule == Rule::memory);
    CHECK(rejection(decision, "edge-1")->needed == 7 * kGi);
    CHECK(rejection(decision, "edge-1")->available == 6 * kGi + 100 * test::kMi);
    CHECK(rejection(decision, "edge-1")->relaxation == "6Gi would fit");
    CHECK(message(decision, "edge-2") == "architecture: needs x86_64, is arm64");
    CHECK(rejection(decision, "edge-2")->relaxation.empty());
    CHECK(message(decision, "edge-3") == "cordoned");
}

TEST_CASE("components of one request never share the same free memory", "[matchmaker]") {
    const PlaceRequest asked = request({needing("a", 5), needing("b", 5), needing("c", 5)});

    const PlaceResult result = CapacityMatchmaker().place(topology({node("n1"), node("n2")}), asked);

    std::size_t placed = 0;
    for (const auto& decision : result.decisions) placed += decision.node ? 1U : 0U;
    CHECK(placed == 2);
    CHECK(result.decisions[0].node != result.decisions[1].node);
    const ReplicaDecision& last = result.decisions[2];
    REQUIRE_FALSE(last.node);
    CHECK(message(last, "n1") == "memory: needs 5Gi, 3Gi free");
    CHECK(message(last, "n2") == "memory: needs 5Gi, 3Gi free");
}

TEST_CASE("docker components that communicate share a node", "[matchmaker]") {
    const PlaceRequest asked = request({needing("web", 3), needing("api", 3), needing("other", 3)}, {{0, 1}});

    const PlaceResult result =
        CapacityMatchmaker().place(topology({node("n1"), node("n2", 4000, 5 * kGi)}), asked);

    REQUIRE(result.complete());
    CHECK(result.decisions[0].node == NodeId{"id-n1"});
    CHECK(result.decisions[1].node == NodeId{"id-n1"});
    CHECK(result.decisions[2].node == NodeId{"id-n2"});
    CHECK(result.decisions[0].reason == "same node as api (communication)");
    CHECK(result.decisions[1].reason == "same node as web (communication)");
}

TEST_CASE(
    "what communicates parts only where the provider publishes a port, and only if it must", "[matchmaker]"
) {
    auto api = needing("api", 5);
    api.service_ports = {{"api", 80, true}};
    const PlaceRequest asked = request({needing("web", 5), api}, {{0, 1}});

    const PlaceResult apart = CapacityMatchmaker().place(topology({node("n1"), node("n2")}), asked);
    REQUIRE(apart.complete());
    CHECK(apart.decisions[0].node != apart.decisions[1].node);

    const PlaceResult together =
        CapacityMatchmaker().place(topology({node("n1"), node("n2", 4000, 16 * kGi)}), asked);
    REQUIRE(together.complete());
    CHECK(together.decisions[0].node == NodeId{"id-n2"});
    CHECK(together.decisions[1].node == NodeId{"id-n2"});

    auto web = needing("web", 5);
    web.service_ports = {{"web", 80, true}};
    const PlaceRequest other_way = request({web, needing("api", 5)}, {{0, 1}});
    CHECK_FALSE(CapacityMatchmaker().place(topology({node("n1"), node("n2")}), other_way).complete());
}

TEST_CASE("a group that fits no node together is not split, and says so with its sum", "[matchmaker]") {
    const PlaceRequest asked = request({needing("web", 5), needing("api", 5)}, {{0, 1}});

    const PlaceResult result = CapacityMatchmaker().place(topology({node("n1"), node("n2")}), asked);

    for (const auto& decision : result.decisions) CHECK_FALSE(decision.node);
    CHECK(message(result.decisions[0], "n1") == "memory: needs 10Gi with api, 8Gi free");
    CHECK(message(result.decisions[1], "n1") == "memory: needs 10Gi with web, 8Gi free");
    CHECK(rejection(result.decisions[0], "n1")->relaxation == "3Gi would fit");
}

TEST_CASE("a member that a node cannot take keeps its whole group away", "[matchmaker]") {
    auto web = component("web");
    web.requirements.architecture = "arm64";
    const PlaceRequest asked = request({web, component("api")}, {{1, 0}});

    const PlaceResult result = CapacityMatchmaker().place(topology({node("n1")}), asked);

    CHECK(message(result.decisions[0], "n1") == "architecture: needs arm64, is x86_64");
    CHECK(
        message(result.decisions[1], "n1") ==
        "communication: web must be on the same node; architecture: needs arm64, is x86_64"
    );
    CHECK(rejection(result.decisions[1], "n1")->rule == Rule::communication);
}

TEST_CASE("a newcomer joins the group where it runs, or waits", "[matchmaker]") {
    PlaceRequest asked = request({needing("web", 6), needing("api", 4)}, {{0, 1}});
    asked.existing = {{"web", 0, NodeId{"id-n1"}, true}};

    const PlaceResult crowded = CapacityMatchmaker().place(topology({node("n1"), node("n2")}), asked);

    CHECK(crowded.decisions[0].node == NodeId{"id-n1"});
    CHECK_FALSE(crowded.decisions[1].node);
    CHECK(message(crowded.decisions[1], "n1") == "memory: needs 4Gi, 2Gi free");
    CHECK(message(crowded.decisions[1], "n2") == "communication: must be on n1, with what it talks to");

    const PlaceResult roomy =
        CapacityMatchmaker().place(topology({node("n1", 4000, 16 * kGi), node("n2")}), asked);
    CHECK(roomy.decisions[1].node == NodeId{"id-n1"});
}

TEST_CASE("a node label gets one replica per listed value", "[matchmaker]") {
    Node lab = node("n1");
    lab.labels["site"] = "lab";
    Node roof = node("n2");
    roof.labels["site"] = "roof";
    auto sensor = component("sensor");
    sensor.requirements.node_label = descriptor::NodeLabel{"site", {"roof", "lab", "cellar"}};

    const PlaceResult result = CapacityMatchmaker().place(topology({lab, roof}), request({sensor}));

    REQUIRE(result.decisions.size() == 3);
    CHECK(result.decisions[0].node == NodeId{"id-n2"});
    CHECK(result.decisions[1].node == NodeId{"id-n1"});
    CHECK_FALSE(result.decisions[2].node);
    CHECK(result.decisions[2].label_value == "cellar");
    CHECK(result.decisions[2].reason == "no node fits for site=cellar (2 considered)");
    CHECK(message(result.decisions[2], "n1") == "label: needs site=cellar, is site=lab");
}

TEST_CASE("a group that asks for several label values cannot share a node and says so", "[matchmaker]") {
    Node lab = node("n1");
    lab.labels["site"] = "lab";
    Node roof = node("n2");
    roof.labels["site"] = "roof";
    auto sensor = component("sensor");
    sensor.requirements.node_label = descriptor::NodeLabel{"site", {"roof", "lab"}};

    const PlaceResult result =
        CapacityMatchmaker().place(topology({lab, roof}), request({sensor, component("hub")}, {{0, 1}}));

    CHECK_FALSE(result.decisions[0].node);
    CHECK(result.decisions[0].reason.find("ask for several label values") != std::string::npos);
}

TEST_CASE("replicas that publish one host port go to different nodes", "[matchmaker]") {
    auto web = component("web");
    web.options.replicas = 3;
    web.host_ports = {{"", 8080, "tcp"}};

    const PlaceResult result = CapacityMatchmaker().place(topology({node("n1"), node("n2")}), request({web}));

    CHECK(result.decisions[0].node.has_value());
    CHECK(result.decisions[1].node.has_value());
    CHECK(result.decisions[0].node != result.decisions[1].node);
    CHECK(message(result.decisions[2], "n1") == "host port: 8080/tcp is taken");
}

TEST_CASE("a device is given to one application only", "[matchmaker]") {
    Node camera = node("n1");
    camera.devices = {{"squat.ai/video", "/dev/video0"}};
    auto component_with_camera = component("cam");
    component_with_camera.requirements.devices = {"squat.ai/video"};
    PlaceRequest asked = request({component_with_camera});

    CHECK(CapacityMatchmaker().place(topology({camera}), asked).complete());
    asked.claims[camera.id] = {Claim{.devices = {"squat.ai/video"}}};
    CHECK_FALSE(CapacityMatchmaker().place(topology({camera}), asked).complete());
}

TEST_CASE("what runs stays, also on a node that is away, cordoned or without its engine", "[matchmaker]") {
    Node away = node("n1");
    PlaceRequest asked = request({needing("web", 1)});
    asked.existing = {{"web", 0, away.id, false}};
    const auto placed_on = [&] {
        return CapacityMatchmaker().place(topology({away, node("n2", 64'000, 64 * kGi)}), asked).decisions[0];
    };

    CHECK(placed_on().node == away.id);
    CHECK(placed_on().reason == "stays");
    away.state = NodeState::lost;
    CHECK(placed_on().node == away.id);
    away.state = NodeState::ready;
    away.cordoned = true;
    CHECK(placed_on().node == away.id);
    away.cordoned = false;
    away.engine.clear();
    CHECK(placed_on().node == away.id);
}

TEST_CASE("what no longer fits its home goes elsewhere unless it is pinned", "[matchmaker]") {
    const Node home = node("n1", 4000, 4 * kGi);
    PlaceRequest asked = request({needing("web", 6)});
    asked.existing = {{"web", 0, home.id, false}};

    CHECK(
        CapacityMatchmaker().place(topology({home, node("n2")}), asked).decisions[0].node == NodeId{"id-n2"}
    );
    asked.existing[0].pinned = true;
    CHECK(CapacityMatchmaker().place(topology({home, node("n2")}), asked).decisions[0].node == home.id);
}

TEST_CASE("an existing placement on a node that is gone counts as none", "[matchmaker]") {
    PlaceRequest asked = request({component("web")});
    asked.existing = {{"web", 0, NodeId{"id-gone"}, true}};

    CHECK(CapacityMatchmaker().place(topology({node("n1")}), asked).decisions[0].node == NodeId{"id-n1"});
}

TEST_CASE("without a node, or without its engine, the reason is that", "[matchmaker]") {
    auto pods = component("pods");
    pods.type = descriptor::ComponentType::kubernetes;

    CHECK(
        CapacityMatchmaker().place(topology({}), request({pods})).decisions[0].reason ==
        "no node has joined yet"
    );
    const PlaceResult result = CapacityMatchmaker().place(topology({node("n1")}), request({pods}));
    CHECK(result.decisions[0].reason == "no target runs kubernetes");
    CHECK(message(result.decisions[0], "n1") == "engine: needs kubernetes, has docker 20.10");
    CHECK(result.engine == descriptor::Engine::kubernetes);
}

TEST_CASE("an application of type multiple takes the engine that places more of it", "[matchmaker]") {
    auto a = component("a");
    a.type = descriptor::ComponentType::multiple;
    Node cluster = node("k1", 64'000, 64 * kGi);
    cluster.engine = "kubernetes";

    CHECK(
        CapacityMatchmaker().place(topology({node("n1")}), request({a})).engine == descriptor::Engine::docker
    );
    CHECK(
        CapacityMatchmaker().place(topology({cluster}), request({a})).engine == descriptor::Engine::kubernetes
    );
    PlaceRequest running = request({a});
    running.existing = {{"a", 0, NodeId{"id-n1"}, false}};
    CHECK(
        CapacityMatchmaker().place(topology({cluster, node("n1")}), running).decisions[0].node ==
        NodeId{"id-n1"}
    );
}

TEST_CASE("a request without an application places nothing", "[matchmaker]") {
    CHECK(CapacityMatchmaker().place(topology({node("n1")}), PlaceRequest{}).decisions.empty());
}
