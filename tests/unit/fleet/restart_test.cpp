// SPDX-License-Identifier: Apache-2.0
#include "fleet_world.hpp"

#include <catch2/catch.hpp>

namespace icos::fleet::test {
namespace {

using http::Method;

class OtherAuthority final : public CertificateAuthority {
public:
    std::string ca_certificate() const override { return "another CA"; }
    std::string ca_pin() const override { return std::string(64, 'b'); }
    Result<std::string> issue(const http::PeerKey&, const std::string&, std::int64_t, std::int64_t) override {
        return std::string("certificate");
    }
    std::pair<std::string, std::string> server_pair() const override { return {}; }
    std::pair<std::string, std::string> operator_pair() const override { return {}; }
};

}  // namespace

TEST_CASE("a restarted controller knows its nodes, tokens and what people changed", "[fleet][restart]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token(R"({"uses": 2, "cluster": "lab"})");
    REQUIRE(world.join(token, "edge-1", "key-1").status == 200);
    REQUIRE(
        world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"labels": {"site": "lab"}, "cordoned": true})")
            .status == 200
    );

    world.restart();

    const Node* node = world.node("edge-1");
    REQUIRE(node != nullptr);
    CHECK(node->cluster == "lab");
    CHECK(node->cordoned);
    CHECK(node->labels == std::map<std::string, std::string>{{"site", "lab"}});
    CHECK(node->cpu_milli == 4000);
    CHECK(world.join(token, "edge-2", "key-2").status == 200);
    CHECK(world.join(token, "edge-3", "key-3").code() == "node.token_spent");
}

TEST_CASE("the lease is granted in full when the controller starts", "[fleet][restart]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    {
        FakeAgent agent(world, "edge-1");
        agent.say_hello();
    }
    world.stop();
    world.runtime.advance(std::chrono::hours(1));

    world.start();

    CHECK(world.state_of("edge-1") == NodeState::ready);
    world.runtime.advance(Duration{9'000});
    CHECK(world.state_of("edge-1") == NodeState::ready);
    world.runtime.advance(Duration{15'000});
    CHECK(world.state_of("edge-1") == NodeState::suspect);
    world.runtime.advance(Duration{8'000});
    CHECK(world.state_of("edge-1") == NodeState::lost);
}

TEST_CASE("a node that was lost stays lost over a restart until it is heard", "[fleet][restart]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    {
        FakeAgent agent(world, "edge-1");
        agent.say_hello();
    }
    world.runtime.advance(Duration{60'000});
    REQUIRE(world.state_of("edge-1") == NodeState::lost);

    world.restart();
    CHECK(world.state_of("edge-1") == NodeState::lost);
    world.runtime.advance(std::chrono::hours(2));
    CHECK(world.event_messages("node.lost").size() == 1);

    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    CHECK(world.state_of("edge-1") == NodeState::ready);
    CHECK(world.event_messages("node.ready").back() == "back after 2 h");
}

TEST_CASE("after a restart a node is asked for everything it observes", "[fleet][restart]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    {
        FakeAgent agent(world, "edge-1");
        agent.say_hello();
        agent.say(agent::encode(agent::Observed{"", "d1", {}, {}}));
    }

    world.restart();
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    CHECK(agent.welcome()->observed_digest.empty());
}

TEST_CASE("a data directory with another certificate authority is refused", "[fleet][restart]") {
    FleetWorld world;
    world.start();
    world.stop();

    const Result<void> started =
        world.try_start([](const AuthoritySettings&) -> Result<std::unique_ptr<CertificateAuthority>> {
            return std::unique_ptr<CertificateAuthority>(std::make_unique<OtherAuthority>());
        });

    REQUIRE(started.has_error());
    CHECK(started.error().hint.find("ca/ca.pem") != std::string::npos);
}

TEST_CASE("a corrupt row stops the start and is not overwritten", "[fleet][restart]") {
    FleetWorld world;
    world.store.put(Row{"node", "n-1", "{", 1});

    const Result<void> started = world.try_start(FleetWorld::numbered());

    REQUIRE(started.has_error());
    CHECK(started.error().code == store_errc::corrupt);
    CHECK(world.store.rows().at({"node", "n-1"}).body == "{");
}

}  // namespace icos::fleet::test
