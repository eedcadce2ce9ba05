// SPDX-License-Identifier: Apache-2.0
#include "matchmaker/rules.hpp"

#include "continuum.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::matchmaker;
using descriptor::Engine;

namespace {

std::vector<Failure> check(const Node& node, const descriptor::Component& component, const Load& load = {}) {
    const Demand demand = make_demand(component, 0);
    return failures(node, load, demand, demand.claim, Engine::docker, std::nullopt, {});
}

std::string only_message(const Node& node, const descriptor::Component& component, const Load& load = {}) {
    const auto failed = check(node, component, load);
    return failed.size() == 1 ? failed.front().message : std::to_string(failed.size()) + " failures";
}

}  // namespace

TEST_CASE("a node that is not ready says since when", "[matchmaker]") {
    Node node = test::node("edge-1");
    node.last_seen = from_ms(1'000'000);
    const auto now = from_ms(1'000'000 + 250'000);
    const auto component = test::component("web");
    const Demand demand = make_demand(component, 0);
    const auto message = [&](NodeState state, std::optional<WallTime> at) {
        node.state = state;
        const auto failed = failures(node, {}, demand, demand.claim, Engine::docker, at, {});
        return failed.empty() ? std::string() : failed.front().message;
    };

    CHECK(message(NodeState::ready, now).empty());
    CHECK(message(NodeState::lost, now) == "lost 4 min ago");
    CHECK(message(NodeState::lost, std::nullopt) == "lost");
    CHECK(message(NodeState::suspect, now) == "suspect, last seen 4 min ago");
    CHECK(message(NodeState::joining, now) == "joining, has not reported yet");
}

TEST_CASE("a cordoned node takes nothing", "[matchmaker]") {
    Node node = test::node("edge-1");
    node.cordoned = true;

    CHECK(only_message(node, test::component("web")) == "cordoned");
}

TEST_CASE("the engine rule names what is wanted and what is there", "[matchmaker]") {
    Node node = test::node("edge-1");
    const auto component = test::component("web");
    const Demand demand = make_demand(component, 0);
    const auto message = [&](Engine engine) {
        const auto failed = failures(node, {}, demand, demand.claim, engine, std::nullopt, {});
        return failed.empty() ? std::string() : failed.front().message;
    };

    CHECK(message(Engine::docker).empty());
    CHECK(message(Engine::kubernetes) == "engine: needs kubernetes, has docker 20.10");
    node.engine = "podman";
    CHECK(message(Engine::docker).empty());
    node.engine = "kubernetes";
    CHECK(message(Engine::kubernetes).empty());
    node.engine.clear();
    CHECK(message(Engine::docker) == "engine: needs docker, none answers");
    node.engine_problem = "no socket at /var/run/docker.sock";
    CHECK(
        message(Engine::docker) == "engine: needs docker, none answers (no socket at /var/run/docker.sock)"
    );
}

TEST_CASE("architectures are compared by alias class", "[matchmaker]") {
    Node node = test::node("edge-1");
    auto component = test::component("web");
    component.requirements.architecture = "x86_64";

    for (const char* same : {"x86_64", "amd64", "AMD64", "intel", "x86-64"}) {
        node.architecture = same;
        CHECK(check(node, component).empty());
    }
    node.architecture = "aarch64";
    CHECK(only_message(node, component) == "architecture: needs x86_64, is arm64");
    node.architecture.clear();
    CHECK(only_message(node, component) == "architecture: needs x86_64, is unknown");
}

TEST_CASE("label keys are compared as telemetry spells them", "[matchmaker]") {
    Node node = test::node("edge-1");
    auto component = test::component("web");
    component.requirements.node_label = descriptor::NodeLabel{"icos.eu/site", {"lab"}};

    CHECK(only_message(node, component) == "label: needs icos.eu/site=lab, has no icos.eu/site");
    node.labels["icos_eu_site"] = "roof";
    CHECK(only_message(node, component) == "label: needs icos.eu/site=lab, is icos.eu/site=roof");
    node.labels["icos_eu_site"] = "lab";
    CHECK(check(node, component).empty());
}

TEST_CASE("a device serves one replica at a time", "[matchmaker]") {
    Node node = test::node("edge-1");
    auto component = test::component("cam");
    component.requirements.devices = {"squat.ai/video"};
    Load load;

    CHECK(only_message(node, component) == "device: needs squat.ai/video, has none");
    node.devices = {{"squat.ai/video", "/dev/video0"}};
    CHECK(check(node, component).empty());
    load.add(make_demand(component, 0).claim);
    CHECK(only_message(node, component, load) == "device: needs squat.ai/video, 0 of 1 free");
    component.requirements.devices = {"squat.ai/video", "squat.ai/video"};
    CHECK(only_message(node, component) == "device: needs 2 of squat.ai/video, 1 of 1 free");
}

TEST_CASE("amounts are compared inclusively and shown as the user wrote them", "[matchmaker]") {
    const Node node = test::node("edge-1", 4000, 8 * test::kGi);
    auto component = test::component("worker");
    component.requirements.cpu = test::cpu(4000, "4");
    component.requirements.memory = test::memory(8 * test::kGi, "8Gi");
    Load load;

    CHECK(check(node, component).empty());
    load.cpu_milli = 1;
    CHECK(only_message(node, component, load) == "cpu: needs 4, 3.999 free");
    load.cpu_milli = 0;
    load.memory_bytes = 2 * test::kGi;
    CHECK(only_message(node, component, load) == "memory: needs 8Gi, 6Gi free");
    load.memory_bytes = 9 * test::kGi;
    CHECK(only_message(node, component, load) == "memory: needs 8Gi, 0 free");
}

TEST_CASE("an unknown capacity is not free capacity", "[matchmaker]") {
    const Node node = test::node("edge-1", 0, 0);
    auto component = test::component("worker");

    CHECK(check(node, component).empty());
    component.requirements.cpu = test::cpu(500, "500m");
    CHECK(only_message(node, component) == "cpu: needs 500m, capacity unknown");
    component.requirements.cpu.reset();
    component.requirements.memory = test::memory(1, "1");
    CHECK(only_message(node, component) == "memory: needs 1, capacity unknown");
}

TEST_CASE("host ports clash by port, protocol and address", "[matchmaker]") {
    using descriptor::HostPort;
    const HostPort any{"", 8080, "tcp"};
    const HostPort local{"127.0.0.1", 8080, "tcp"};
    const HostPort other{"10.0.0.1", 8080, "tcp"};

    CHECK(ports_clash(any, any));
    CHECK(ports_clash(any, local));
    CHECK(ports_clash(HostPort{"0.0.0.0", 8080, "tcp"}, other));
    CHECK_FALSE(ports_clash(local, other));
    CHECK_FALSE(ports_clash(any, HostPort{"", 8081, "tcp"}));
    CHECK_FALSE(ports_clash(any, HostPort{"", 8080, "udp"}));

    auto component = test::component("web");
    component.host_ports = {any};
    Load load;
    load.host_ports = {local};
    CHECK(only_message(test::node("edge-1"), component, load) == "host port: 8080/tcp is taken");
}

TEST_CASE("failures come in the order of the rules", "[matchmaker]") {
    Node node = test::node("edge-1", 100, 100);
    node.state = NodeState::lost;
    node.cordoned = true;
    node.engine.clear();
    node.architecture = "arm64";
    auto component = test::component("web");
    component.requirements.architecture = "x86_64";
    component.requirements.node_label = descriptor::NodeLabel{"site", {"lab"}};
    component.requirements.devices = {"gpu"};
    component.requirements.cpu = test::cpu(1000, "1");
    component.requirements.memory = test::memory(test::kGi, "1Gi");
    component.host_ports = {{"", 80, "tcp"}};
    Load load;
    load.host_ports = component.host_ports;

    const auto failed = check(node, component, load);

    const std::vector<Rule> expected{
        Rule::state,
        Rule::cordoned,
        Rule::engine,
        Rule::architecture,
        Rule::label,
        Rule::device,
        Rule::cpu,
        Rule::memory,
        Rule::host_port
    };
    REQUIRE(failed.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(failed[i].rule == expected[i]);
}

TEST_CASE("a load that is added and removed leaves nothing behind", "[matchmaker]") {
    auto component = test::component("web");
    component.requirements.cpu = test::cpu(100, "0.1");
    component.requirements.memory = test::memory(10, "10");
    component.requirements.devices = {"a", "a"};
    component.host_ports = {{"", 80, "tcp"}};
    const Claim claim = make_demand(component, 0).claim;
    Load load;

    load.add(claim);
    load.remove(claim);

    CHECK(load.cpu_milli == 0);
    CHECK(load.memory_bytes == 0);
    CHECK(load.devices.empty());
    CHECK(load.host_ports.empty());
    CHECK(load.replicas == 0);
}

TEST_CASE("replicas are counted per listed label value", "[matchmaker]") {
    auto component = test::component("web");
    CHECK(replica_count(component, std::nullopt) == 1);
    component.options.replicas = 3;
    CHECK(replica_count(component, std::nullopt) == 3);
    CHECK(replica_count(component, 0U) == 0);
    component.options.replicas.reset();
    component.requirements.node_label = descriptor::NodeLabel{"site", {"a", "b"}};
    CHECK(replica_count(component, std::nullopt) == 2);
    CHECK(replica_count(component, 2U) == 4);
    CHECK(make_demand(component, 3).label_value == "b");
}

TEST_CASE("one typed component decides the engine of the application", "[matchmaker]") {
    using descriptor::ComponentType;
    descriptor::Application application;
    application.components = {test::component("a"), test::component("b")};
    application.components[0].type = ComponentType::multiple;
    application.components[1].type = ComponentType::multiple;
    CHECK(fixed_engine(application) == std::nullopt);
    application.components[1].type = ComponentType::kubernetes;
    CHECK(fixed_engine(application) == Engine::kubernetes);
    application.components[1].type = ComponentType::docker;
    CHECK(fixed_engine(application) == Engine::docker);
}
