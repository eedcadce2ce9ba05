// SPDX-License-Identifier: Apache-2.0
#include "fleet_world.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

namespace icos::fleet::test {
namespace {

using http::Method;
using Labels = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("a node is shown with what is free on it", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    world.claims.claims[id] = ClaimSum{400, std::uint64_t{2} << 30U, 3};
    world.runtime.advance(Duration{2'000});

    const auto node = world.call(Method::get, "/api/v1/nodes/edge-1");

    REQUIRE(node.status == 200);
    CHECK(node.text("id") == id.value);
    CHECK(node.text("status") == "ready");
    CHECK(node.text("orchestrator") == "icos");
    CHECK(node.body.at("cpu_milli").to_number<int>() == 4000);
    CHECK(node.body.at("cpu_free_milli").to_number<int>() == 3600);
    CHECK(node.body.at("memory_free_bytes").to_number<std::int64_t>() == std::int64_t{6} << 30);
    CHECK(node.body.at("placements").to_number<int>() == 3);
    CHECK(node.body.at("last_seen_ms_ago").to_number<int>() >= 1'000);
    CHECK(parse_rfc3339(node.text("last_seen")).has_value());
    CHECK(world.call(Method::get, "/api/v1/nodes/" + id.value).text("name") == "edge-1");
}

TEST_CASE("claims beyond the capacity leave nothing free, not a huge number", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    world.claims.claims[id] = ClaimSum{9'000, std::uint64_t{100} << 30U, 1};

    const auto node = world.call(Method::get, "/api/v1/nodes/edge-1");

    CHECK(node.body.at("cpu_free_milli").to_number<int>() == 0);
    CHECK(node.body.at("memory_free_bytes").to_number<int>() == 0);
}

TEST_CASE("what is not known is null, never 0", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");

    const auto node = world.call(Method::get, "/api/v1/nodes/edge-1");

    CHECK(node.body.at("last_seen").is_null());
    CHECK(node.body.at("last_seen_ms_ago").is_null());
    CHECK(node.body.at("round_trip_ms").is_null());
    CHECK(node.text("status") == "joining");
}

TEST_CASE("nodes are listed by name, page by page", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    for (const char* name : {"c", "a", "b"}) world.join_node(name);

    const auto first = world.call(Method::get, "/api/v1/nodes?limit=2");
    REQUIRE(first.body.at("items").as_array().size() == 2);
    CHECK(first.body.at("items").at(0).at("name") == "a");
    CHECK(first.text("next") == "b");
    const auto rest = world.call(Method::get, "/api/v1/nodes?after=b");
    REQUIRE(rest.body.at("items").as_array().size() == 1);
    CHECK(rest.body.at("items").at(0).at("name") == "c");
    CHECK(rest.body.at("next").is_null());
    CHECK(world.call(Method::get, "/api/v1/nodes?limit=x").code() == "http.bad_request");
    CHECK(world.call(Method::get, "/api/v1/nodes?limit=0").code() == "http.bad_request");
}

TEST_CASE("clusters show their nodes and how many are ready", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token(R"({"cluster": "lab", "uses": 2})");
    REQUIRE(world.join(token, "edge-2", "edge-2").status == 200);
    REQUIRE(world.join(token, "edge-1", "edge-1").status == 200);
    world.join_node("solo");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    const auto all = world.call(Method::get, "/api/v1/clusters");
    REQUIRE(all.body.at("items").as_array().size() == 2);
    const auto lab = world.call(Method::get, "/api/v1/clusters/lab");
    CHECK(
        boost::json::serialize(lab.body) ==
        R"({"name":"lab","nodes":["edge-1","edge-2"],"ready":1,"total":2})"
    );
    CHECK(world.call(Method::get, "/api/v1/clusters/x").code() == "node.cluster_not_found");
}

TEST_CASE("labels are set, changed and removed", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    REQUIRE(
        world.join(world.make_token(R"({"labels": {"site": "lab", "tier": "edge"}})"), "edge-1", "k")
            .status == 200
    );
    world.changes.clear();

    const auto patched = world.call(
        Method::patch, "/api/v1/nodes/edge-1", R"({"labels": {"site": "home", "tier": null, "rack": "4"}})"
    );

    REQUIRE(patched.status == 200);
    CHECK(world.node("edge-1")->labels == Labels{{"rack", "4"}, {"site", "home"}});
    CHECK(patched.body.at("labels").as_object().size() == 2);
    CHECK(
        world.event_messages("node.changed") ==
        std::vector<std::string>{"label rack=4, label site=home, label tier removed"}
    );
    world.runtime.run_until_idle();
    REQUIRE(world.changes.size() == 1);
    CHECK(world.changes.at(0).name == "edge-1");

    // A label that was removed stays removed, whatever the node itself says.
    FakeAgent agent(world, "k");
    agent.hello.facts.labels = {{"tier", "edge"}, {"own", "1"}};
    agent.say_hello();
    CHECK(world.node("edge-1")->labels == Labels{{"own", "1"}, {"rack", "4"}, {"site", "home"}});
}

TEST_CASE("a drain cordons, and ends with the cordon", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    const auto drained = world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"draining": true})");

    CHECK(drained.text("status") == "draining");
    CHECK(world.node("edge-1")->cordoned);
    CHECK(world.node("edge-1")->draining);
    CHECK(world.event_messages("node.draining") == std::vector<std::string>{"drain requested"});
    world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"cordoned": false})");
    CHECK_FALSE(world.node("edge-1")->draining);
}

TEST_CASE("only the loss of a lost node can be confirmed", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    const auto refused = world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"confirmed_lost": true})");

    CHECK(refused.status == 409);
    CHECK(refused.code() == "node.in_use");
    CHECK_FALSE(world.node("edge-1")->confirmed_lost);
}

TEST_CASE("nodes are listed as they were recorded at an earlier time", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();
    world.runtime.advance(Duration{2'000});
    world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"cordoned": true})");

    const auto before = world.call(Method::get, "/api/v1/nodes?at=1s");
    const auto now = world.call(Method::get, "/api/v1/nodes?at=0s");

    REQUIRE(before.status == 200);
    REQUIRE(before.body.at("items").as_array().size() == 1);
    CHECK(before.body.at("items").at(0).at("status").as_string() == "ready");
    CHECK(now.body.at("items").at(0).at("status").as_string() == "cordoned");
    CHECK(world.call(Method::get, "/api/v1/nodes?at=soon").status == 400);
}

TEST_CASE("location, devices and cordon are set together", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    FakeAgent agent(world, "edge-1");
    agent.say_hello();

    const auto patched = world.call(
        Method::patch,
        "/api/v1/nodes/edge-1",
        R"({"location": "41.4,2.2", "devices": [{"name": "video", "path": "/dev/video0"}], "cordoned": true})"
    );

    CHECK(patched.text("status") == "cordoned");
    const Node* node = world.node("edge-1");
    CHECK(node->cordoned);
    CHECK(node->location == "41.4,2.2");
    CHECK(node->devices == std::vector<agent::Device>{{"video", "/dev/video0"}});
    world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"cordoned": false})");
    CHECK_FALSE(world.node("edge-1")->cordoned);
    CHECK(world.event_messages("node.uncordoned") == std::vector<std::string>{"uncordoned"});
}

TEST_CASE("a change that changes nothing writes nothing", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"cordoned": true})");
    const std::size_t events = world.store.recorded().size();

    const auto again = world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"cordoned": true})");

    CHECK(again.status == 200);
    CHECK(world.store.recorded().size() == events);
}

TEST_CASE("a wrong change is refused with its place and changes nothing", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    struct Row {
        const char* body;
        const char* code;
        const char* detail;
    };
    const std::vector<Row> rows{
        {R"({"labels": {"ok": "1", "site": "la b"}})", "node.invalid_label", "labels.site: "},
        {R"({"labels": {"bad key": null}})", "node.invalid_label", "labels: "},
        {R"({"labels": {"site": 4}})", "node.invalid_label", "labels.site: expected a string, or null"},
        {R"({"cordoned": "yes"})", "node.invalid", "cordoned: expected true or false"},
        {R"({"location": 4})", "node.invalid", "location: expected a string"},
        {R"({"devices": {}})", "node.invalid", "devices: expected a list"},
        {R"({"cordonned": true})", "node.invalid", "cordonned: unknown member"},
    };
    for (const Row& row : rows) {
        INFO(row.body);
        const auto refused = world.call(Method::patch, "/api/v1/nodes/edge-1", row.body);
        CHECK(refused.status == 422);
        CHECK(refused.code() == row.code);
        CHECK(refused.text("detail").find(row.detail) == 0);
    }
    CHECK(world.node("edge-1")->labels.empty());
    CHECK(world.call(Method::patch, "/api/v1/nodes/edge-9", "{}").code() == "node.not_found");
}

TEST_CASE("a change can be made conditional on the version that was read", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    const std::string read = world.call(Method::get, "/api/v1/nodes/edge-1").etag;
    REQUIRE_FALSE(read.empty());
    const std::string cordon = R"({"cordoned": true})";

    CHECK(world.call(Method::patch, "/api/v1/nodes/edge-1", cordon, {{"If-Match", read}}).status == 200);
    const auto late =
        world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"location": "x"})", {{"If-Match", read}});

    CHECK(late.status == 412);
    CHECK(late.code() == "node.changed");
    CHECK(world.node("edge-1")->location.empty());
}

TEST_CASE("a change that cannot be written is taken back", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    world.changes.clear();
    world.store.failure = Error{store_errc::full, "the disk is full"};

    const auto refused = world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"labels": {"site": "lab"}})");
    world.runtime.advance(Duration{100});

    CHECK(refused.status == 507);
    CHECK(world.node("edge-1")->labels.empty());
    CHECK(world.changes.empty());
}

TEST_CASE("a node with placements on it cannot be forgotten", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    world.claims.claims[id] = ClaimSum{0, 0, 2};

    const auto refused = world.call(Method::del, "/api/v1/nodes/edge-1");

    CHECK(refused.status == 409);
    CHECK(refused.code() == "node.in_use");
    CHECK(refused.text("detail") == "node edge-1 has 2 placements");
    world.claims.claims.clear();
    CHECK(world.call(Method::del, "/api/v1/nodes/edge-1").status == 204);
    CHECK(world.call(Method::del, "/api/v1/nodes/edge-1").code() == "node.not_found");
}

TEST_CASE("a node is given up with what is on it only when it is lost", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    const NodeId id = world.join_node("edge-1");
    world.claims.claims[id] = ClaimSum{0, 0, 2};

    const auto too_early = world.call(Method::del, "/api/v1/nodes/edge-1?force");
    CHECK(too_early.code() == "node.in_use");
    CHECK(too_early.text("detail").find("only a lost node") != std::string::npos);

    std::optional<FakeAgent> agent(std::in_place, world, "edge-1");
    agent->say_hello();
    agent->go_silent();
    world.runtime.advance(Duration{60'000});
    REQUIRE(world.state_of("edge-1") == NodeState::lost);
    const auto asked = world.call(Method::del, "/api/v1/nodes/edge-1");
    CHECK(asked.text("hint").find("--force") != std::string::npos);
    CHECK(world.call(Method::del, "/api/v1/nodes/edge-1?force").status == 204);
    CHECK(world.node("edge-1") == nullptr);
}

TEST_CASE("the topology is a snapshot with a version that grows with each change", "[fleet][routes]") {
    FleetWorld world;
    world.start();
    world.join_node("edge-1");
    const auto before = world.topology().current();
    CHECK(world.topology().current() == before);

    const int told = world.listener.topology_changes;
    world.call(Method::patch, "/api/v1/nodes/edge-1", R"({"cordoned": true})");
    world.runtime.run_until_idle();

    const auto after = world.topology().current();
    CHECK(after->version > before->version);
    CHECK_FALSE(before->nodes.at(0).cordoned);
    CHECK(after->nodes.at(0).cordoned);
    CHECK(world.listener.topology_changes > told);
}

}  // namespace icos::fleet::test
