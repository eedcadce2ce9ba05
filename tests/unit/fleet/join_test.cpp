// SPDX-License-Identifier: Apache-2.0
#include "fleet/error.hpp"
#include "fleet_world.hpp"
#include "icos/store/store.hpp"

#include <catch2/catch.hpp>

namespace icos::fleet::test {
namespace {

using http::Method;

agent::JoinRequest request(const std::string& token, const std::string& name) {
    agent::JoinRequest out;
    out.token = token;
    out.name = name;
    out.facts = some_facts(name);
    return out;
}

}  // namespace

TEST_CASE("a node joins with a certificate for the key of its connection", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token(R"({"cluster": "lab", "labels": {"site": "lab"}})");

    const auto joined = world.join(token, "edge-1", "key-1");

    REQUIRE(joined.status == 200);
    CHECK(joined.text("name") == "edge-1");
    CHECK(joined.text("cluster") == "lab");
    CHECK(joined.text("ca") == "the CA");
    CHECK(joined.text("controller_name") == "vm-1");
    CHECK(joined.body.at("controllers").at(0) == "vm-1:7443");
    CHECK(joined.body.at("labels").at("site") == "lab");
    const std::string certificate = joined.text("certificate");
    CHECK(certificate.find("for " + joined.text("node_id")) != std::string::npos);
    CHECK(certificate.find("key " + FleetWorld::peer("key-1").key_id) != std::string::npos);
    const Node* node = world.node("edge-1");
    REQUIRE(node != nullptr);
    CHECK(node->id.value == joined.text("node_id"));
    const std::int64_t joined_ms = to_ms(node->joined_at);
    const std::int64_t day = std::int64_t{24} * 3600 * 1000;
    const std::string validity =
        "from " + std::to_string(joined_ms - day) + " to " + std::to_string(joined_ms + 90 * day);
    CHECK(certificate.find(validity) != std::string::npos);
    CHECK(node->address == "192.0.2.7");
    CHECK(world.event_messages("node.joined").size() == 1);
    CHECK(
        world.event_messages("node.joined").at(0).find("x86_64, 4 cores, 8.0Gi, docker 20.10") !=
        std::string::npos
    );
}

TEST_CASE("without a cluster in the token a node gets one of its own", "[fleet][join]") {
    FleetWorld world;
    world.start();
    CHECK(world.join(world.make_token(), "edge-1", "key-1").text("cluster") == "edge-1");
}

TEST_CASE("a join whose answer was lost gets the same answer again", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token();
    const auto first = world.join(token, "edge-1", "key-1");
    REQUIRE(first.status == 200);

    SECTION("at once") {}
    SECTION("after the token expired") {
        world.runtime.advance(std::chrono::hours(2));
    }
    SECTION("from a restarted controller") {
        world.restart();
    }
    const auto again = world.join(token, "edge-1", "key-1");

    REQUIRE(again.status == 200);
    CHECK(again.body == first.body);
    CHECK(world.event_messages("node.joined").size() == 1);
    CHECK(world.topology().current()->nodes.size() == 1);
}

TEST_CASE("a key that is a node already cannot become another", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token(R"({"uses": 5})");
    REQUIRE(world.join(token, "edge-1", "key-1").status == 200);

    CHECK(world.join(token, "edge-2", "key-1").code() == "node.key_known");
    CHECK(world.join(world.make_token(), "edge-1", "key-1").code() == "node.key_known");
    CHECK(world.topology().current()->nodes.size() == 1);
}

TEST_CASE("two nodes cannot have one name", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token(R"({"uses": 5})");
    REQUIRE(world.join(token, "edge-1", "key-1").status == 200);

    const auto refused = world.join(token, "edge-1", "key-2");

    CHECK(refused.status == 409);
    CHECK(refused.code() == "node.name_taken");
    CHECK(refused.text("hint").find("--name") != std::string::npos);
    CHECK(world.join(token, "edge-2", "key-2").status == 200);
}

TEST_CASE("a refused join spends nothing", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token();

    agent::JoinRequest wrong = request(token, "Edge One");
    CHECK(world.join(wrong, "key-1").code() == "node.invalid");
    wrong = request(token, "edge-1");
    wrong.facts.labels = {{"site", "la b"}};
    CHECK(world.join(wrong, "key-1").code() == "node.invalid_label");
    CHECK(world.join(wrong, "key-1").text("detail").find("labels.site: ") == 0);
    wrong = request(token, "edge-1");
    wrong.facts.devices = {{"video", "dev/video0"}};
    CHECK(world.join(wrong, "key-1").text("detail").find("devices[0].path: ") == 0);
    wrong = request(token, "edge-1");
    wrong.facts.os = std::string(100'000, 'x');
    CHECK(world.join(wrong, "key-1").code() == "node.invalid");

    CHECK(world.join(token, "edge-1", "key-1").status == 200);
}

TEST_CASE("the host name is the name when none is wanted", "[fleet][join]") {
    FleetWorld world;
    world.start();
    agent::JoinRequest wanted = request(world.make_token(), "");
    wanted.facts.hostname = "pi-7.lab";
    CHECK(world.join(wanted, "key-1").text("name") == "pi-7.lab");
}

TEST_CASE("the token's labels win over the node's own, which only add", "[fleet][join]") {
    FleetWorld world;
    world.start();
    agent::JoinRequest wanted =
        request(world.make_token(R"({"labels": {"site": "lab", "tier": "edge"}})"), "edge-1");
    wanted.facts.labels = {{"site", "home"}, {"rack", "4"}};

    const auto joined = world.join(wanted, "key-1");

    REQUIRE(joined.status == 200);
    const std::map<std::string, std::string> expected{{"rack", "4"}, {"site", "lab"}, {"tier", "edge"}};
    CHECK(world.node("edge-1")->labels == expected);
    CHECK(joined.body.at("labels").as_object().size() == 3);

    // Neither can a later report of the node change them.
    FakeAgent agent(world, "key-1");
    agent.hello.facts = wanted.facts;
    agent.hello.facts.labels = {{"tier", "cloud"}, {"rack", "5"}, {"not valid", "x"}};
    agent.say_hello();
    const std::map<std::string, std::string> later{{"rack", "5"}, {"site", "lab"}, {"tier", "edge"}};
    CHECK(world.node("edge-1")->labels == later);
}

TEST_CASE("devices that the token fixes cannot be widened", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string token =
        world.make_token(R"({"devices": [{"name": "video", "path": "/dev/video0"}, {"name": "gpu"}]})");
    agent::JoinRequest wanted = request(token, "edge-1");
    wanted.facts.devices = {{"video", "/dev/video0"}, {"tpu", "/dev/tpu"}};

    REQUIRE(world.join(wanted, "key-1").status == 200);

    CHECK(world.node("edge-1")->devices == std::vector<agent::Device>{{"video", "/dev/video0"}});
}

TEST_CASE("a join is answered only once it is durable, and undone when it cannot be", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token();
    world.store.failure = Error{store_errc::full, "the disk is full"};

    const auto refused = world.join(token, "edge-1", "key-1");

    CHECK(refused.status == 507);
    CHECK(refused.code() == "store.full");
    world.runtime.advance(Duration{100});
    CHECK(world.node("edge-1") == nullptr);

    // Neither the name nor the token's use is left behind.
    CHECK(world.join(token, "edge-1", "key-1").status == 200);
}

TEST_CASE("while memory is read again after a failed write, changes are asked to wait", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token();
    world.store.failure = Error{store_errc::full, "the disk is full"};
    CHECK(world.call(Method::post, "/api/v1/tokens").code() == "store.full");

    // The reload is under way: nothing ran since.
    const auto early = world.join(token, "edge-1", "key-1");
    const bool waits = early.code() == "store.busy" || early.status == 200;
    CHECK(waits);
    world.runtime.advance(Duration{100});
    CHECK(world.join(token, "edge-1", "key-1").status == 200);
}

TEST_CASE("only a connection of the agent protocol can join", "[fleet][join]") {
    FleetWorld world;
    world.start();
    const std::string body = agent::encode(request(world.make_token(), "edge-1"));
    http::Caller admin;
    admin.role = http::Role::admin;

    CHECK(world.call_as(admin, Method::post, "/agent/v1/join", body).status == 403);
    CHECK(
        world.call_as(FleetWorld::agent_caller("k"), Method::post, "/agent/v1/join", "{").code() ==
        "link.protocol"
    );
}

}  // namespace icos::fleet::test
