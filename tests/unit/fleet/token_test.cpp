// SPDX-License-Identifier: Apache-2.0
#include "fleet/token.hpp"

#include "fleet_world.hpp"
#include "icos/link/digest.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

namespace icos::fleet::test {
namespace {

using http::Method;

}  // namespace

TEST_CASE("a token comes with the command to run on the new node", "[fleet][token]") {
    FleetWorld world;
    world.start();

    const auto made = world.call(Method::post, "/api/v1/tokens");

    REQUIRE(made.status == 201);
    const std::string token = made.text("token");
    const auto parsed = link::parse_join_token(token);
    REQUIRE(parsed.has_value());
    CHECK(parsed->ca_pin == world.authority().ca_pin());
    CHECK(parsed->secret.size() == 18);
    CHECK(made.text("command") == "icos-agent join --controller vm-1:7443 --token " + token);
    CHECK(
        *parse_rfc3339(made.text("expires_at")) - *parse_rfc3339(made.text("created_at")) ==
        std::chrono::hours(1)
    );
    CHECK(made.body.at("uses_left").to_number<int>() == 1);
}

TEST_CASE("the address that was bound appears in later commands", "[fleet][token]") {
    FleetWorld world;
    world.start();

    world.acceptor().advertise("controller.example:17443");

    CHECK(
        world.call(Method::post, "/api/v1/tokens")
            .text("command")
            .find("--controller controller.example:17443 ") != std::string::npos
    );
}

TEST_CASE("the secret of a token is kept nowhere", "[fleet][token]") {
    FleetWorld world;
    world.start();

    const std::string token = world.make_token(R"({"labels": {"site": "lab"}})");

    const std::string secret = token.substr(token.rfind('.') + 1);
    for (const auto& [key, row] : world.store.rows()) CHECK(row.body.find(secret) == std::string::npos);
    for (const Event& event : world.store.recorded()) {
        CHECK(event.message.find(secret) == std::string::npos);
        CHECK(event.data.find(secret) == std::string::npos);
    }
    const auto listed = world.call(Method::get, "/api/v1/tokens");
    CHECK(boost::json::serialize(listed.body).find(secret) == std::string::npos);
    CHECK(listed.body.at("items").as_array().size() == 1);
}

TEST_CASE("a token says until when and for how many nodes", "[fleet][token]") {
    FleetWorld world;
    world.start();

    const auto made = world.call(
        Method::post,
        "/api/v1/tokens",
        R"({"expires_in": "2h", "uses": 3, "cluster": "lab", "labels": {"site": "lab"},
            "devices": [{"name": "squat.ai/video", "path": "/dev/video0"}]})"
    );

    REQUIRE(made.status == 201);
    CHECK(made.body.at("uses_left").to_number<int>() == 3);
    CHECK(made.text("cluster") == "lab");
    CHECK(made.body.at("labels").at("site") == "lab");
    CHECK(made.body.at("devices").at(0).at("path") == "/dev/video0");
    CHECK(world.event_messages("token.created").size() == 1);
}

TEST_CASE("a wrong token request is refused with its place and leaves nothing", "[fleet][token]") {
    FleetWorld world;
    world.start();
    struct Row {
        const char* body;
        unsigned status;
        const char* code;
        const char* detail;
    };
    const std::vector<Row> rows{
        {"[]", 400, "http.bad_request", "the body is not a JSON object"},
        {"{", 400, "http.bad_request", "the body is not JSON"},
        {R"({"label": {}})", 422, "node.invalid", "label: unknown member"},
        {R"({"expires_in": "soon"})", 422, "node.invalid", "expires_in: expected"},
        {R"({"expires_in": "500ms"})", 422, "node.invalid", "expires_in: expected"},
        {R"({"expires_in": "400d"})", 422, "node.invalid", "expires_in: expected"},
        {R"({"uses": 0})", 422, "node.invalid", "uses: expected"},
        {R"({"uses": "1"})", 422, "node.invalid", "uses: expected"},
        {R"({"cluster": "La b"})", 422, "node.invalid", "cluster: "},
        {R"({"labels": {"site": "la b"}})", 422, "node.invalid_label", "labels.site: "},
        {R"({"labels": {"site": null}})", 422, "node.invalid_label", "labels.site: "},
        {R"({"labels": []})", 422, "node.invalid_label", "labels: "},
        {R"({"devices": [{"path": "/dev/0"}]})", 422, "node.invalid", "devices[0].name: "},
        {R"({"devices": [{"name": "v", "path": "dev"}]})", 422, "node.invalid", "devices[0].path: "},
        {R"({"devices": [{"name": "v", "mode": "rw"}]})", 422, "node.invalid", "devices[0].mode: unknown"},
    };
    for (const Row& row : rows) {
        INFO(row.body);
        const auto refused = world.call(Method::post, "/api/v1/tokens", row.body);
        CHECK(refused.status == row.status);
        CHECK(refused.code() == row.code);
        CHECK(refused.text("detail").find(row.detail) == 0);
    }
    CHECK(world.call(Method::get, "/api/v1/tokens").body.at("items").as_array().empty());
}

TEST_CASE("a spent token says by which node and when", "[fleet][token]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token();
    REQUIRE(world.join(token, "edge-1", "key-1").status == 200);
    world.runtime.advance(std::chrono::minutes(5));

    const auto refused = world.join(token, "edge-2", "key-2");

    CHECK(refused.status == 403);
    CHECK(refused.code() == "node.token_spent");
    CHECK(refused.text("detail") == "the token was used at 04:00 UTC (5 min ago) by edge-1");
    CHECK(refused.text("hint") == "ask for a new one: icos node token");
    CHECK(world.node("edge-2") == nullptr);
    const auto listed = world.call(Method::get, "/api/v1/tokens");
    CHECK(listed.body.at("items").at(0).at("uses_left").to_number<int>() == 0);
    CHECK(listed.body.at("items").at(0).at("used_by").at(0).at("node") == "edge-1");
}

TEST_CASE("a token for three nodes takes three and no fourth", "[fleet][token]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token(R"({"uses": 3})");

    for (const char* name : {"edge-1", "edge-2", "edge-3"})
        CHECK(world.join(token, name, name).status == 200);

    CHECK(world.join(token, "edge-4", "edge-4").code() == "node.token_spent");
}

TEST_CASE("an expired token says when it expired", "[fleet][token]") {
    FleetWorld world;
    world.start();
    const std::string token = world.make_token(R"({"expires_in": "10m"})");
    world.runtime.advance(std::chrono::hours(30));

    const auto refused = world.join(token, "edge-1", "key-1");

    CHECK(refused.status == 403);
    CHECK(refused.code() == "node.token_expired");
    CHECK(refused.text("detail") == "the token expired at 2026-11-24 04:10 UTC (29 h ago)");
}

TEST_CASE("foreign, revoked and malformed tokens are unknown", "[fleet][token]") {
    FleetWorld world;
    world.start();
    const auto made = world.call(Method::post, "/api/v1/tokens");
    REQUIRE(world.call(Method::del, "/api/v1/tokens/" + made.text("id")).status == 204);

    const std::string revoked = made.text("token");
    const std::string foreign = link::format_join_token({std::string(64, 'b'), std::string(18, 'x')});
    for (const std::string& token :
         {revoked, foreign, std::string("icos1.ffff"), std::string(), std::string(5000, 'x')}) {
        const auto refused = world.join(token, "edge-1", "key-1");
        CHECK(refused.code() == "node.token_unknown");
        CHECK(refused.text("hint") == "ask for a new one: icos node token");
    }
    CHECK(
        world.join(foreign, "edge-1", "key-1").text("detail") == "the token was made by another controller"
    );
    CHECK(world.call(Method::del, "/api/v1/tokens/" + made.text("id")).code() == "node.token_unknown");
}

TEST_CASE("tokens that expired long ago are swept out", "[fleet][token]") {
    FleetWorld world;
    world.start();
    world.make_token();
    world.runtime.set_wall(world.runtime.wall() + std::chrono::hours(24 * 9));

    world.make_token();

    CHECK(world.call(Method::get, "/api/v1/tokens").body.at("items").as_array().size() == 1);
}

TEST_CASE("devices in a token are a fence that the node's own can only narrow", "[fleet][token]") {
    const std::vector<agent::Device> fixed{{"video", "/dev/video0"}, {"gpu", "/dev/nvidia0"}};
    const std::vector<agent::Device> chosen{{"gpu", "/dev/nvidia0"}};

    CHECK(narrowed_devices(fixed, {}) == fixed);
    CHECK(narrowed_devices(fixed, chosen) == chosen);
    CHECK(narrowed_devices(fixed, {{"gpu", ""}}) == chosen);
    CHECK(narrowed_devices(fixed, {{"tpu", "/dev/tpu"}}) == fixed);
    CHECK(narrowed_devices(fixed, {{"gpu", "/dev/nvidia9"}}) == fixed);
}

TEST_CASE("only admins see or make tokens", "[fleet][token]") {
    FleetWorld world;
    world.start();
    http::Caller writer;
    writer.role = http::Role::writer;

    CHECK(world.call_as(writer, Method::post, "/api/v1/tokens", "{}").code() == "auth.forbidden");
    CHECK(world.call_as(writer, Method::get, "/api/v1/tokens", "").code() == "auth.forbidden");
    CHECK(world.call_as(FleetWorld::agent_caller("k"), Method::post, "/api/v1/tokens", "{}").status == 403);
}

}  // namespace icos::fleet::test
