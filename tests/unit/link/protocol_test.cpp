// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/protocol.hpp"

#include "icos/link/session.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::agent;

namespace {

DesiredPlacement full_placement() {
    DesiredPlacement p;
    p.placement = PlacementId{"p1"};
    p.app_id = AppId{"a1"};
    p.project = "lab";
    p.app = "hello";
    p.component = "front";
    p.replica = 2;
    p.generation = 7;
    p.digest = "abc";
    p.run = false;
    p.manifests = {{"m", R"({"services":{}})"}};
    p.environment = {{"A", "1"}, {"B", ""}};
    p.aliases = {{"web", {"web.front", "web"}}};
    p.pull = "always";
    p.credentials = {{"r.example", "u", "secret"}};
    p.health_timeout_ms = 5;
    return p;
}

}  // namespace

TEST_CASE("a placement is read back as it was written", "[link][protocol]") {
    const Result<DesiredPlacement> back = decode_placement(encode_placement(full_placement()));
    REQUIRE(back.has_value());
    CHECK(*back == full_placement());
    CHECK(*decode_placement(encode_placement(DesiredPlacement{})) == DesiredPlacement{});
}

TEST_CASE("messages carry their type and survive the wire", "[link][protocol]") {
    Hello hello;
    hello.node_id = "n1";
    hello.wall_ms = -5;
    hello.facts.memory_bytes = 18'000'000'000'000'000'000ULL;
    hello.facts.labels = {{"site", "lab"}};
    hello.facts.devices = {{"squat.ai/video", "/dev/video0"}};
    CHECK(message_type(encode(hello)) == "hello");
    const Result<Hello> back = decode<Hello>(encode(hello));
    REQUIRE(back.has_value());
    CHECK(back->facts == hello.facts);
    CHECK(back->wall_ms == -5);

    Observed observed;
    observed.base = "b";
    ObservedPlacement placement;
    placement.placement = PlacementId{"p1"};
    placement.state = PlacementState::restarting;
    placement.services.push_back(ObservedService{});
    placement.services[0].exit_code = 0;
    observed.upsert = {placement};
    observed.removed = {PlacementId{"p0"}};
    const Result<Observed> seen = decode<Observed>(encode(observed));
    REQUIRE(seen.has_value());
    CHECK(seen->upsert == observed.upsert);
    CHECK(seen->removed == observed.removed);

    JoinAnswer answer;
    answer.controllers = {"a:1"};
    answer.labels = {{"k", "v"}};
    CHECK(decode<JoinAnswer>(encode(answer))->controllers == answer.controllers);
    CHECK(message_type("[1]").empty());
    CHECK(message_type("{").empty());
}

TEST_CASE("unknown members are skipped and absent ones keep their defaults", "[link][protocol]") {
    const Result<DesiredPlacement> p = decode_placement(R"({"placement":"p1","from_the_future":{"x":[1]}})");

    REQUIRE(p.has_value());
    CHECK(p->project == "default");
    CHECK(p->run);
    CHECK(p->health_timeout_ms == 120'000);
}

TEST_CASE("a member of the wrong type is refused with its path", "[link][protocol]") {
    const auto problem = [](const char* text) { return decode<Desired>(text).error(); };
    CHECK(
        problem(R"({"upsert":[{"placement":"p"},{"replica":"two"}]})").detail ==
        "upsert[1].replica: expected an integer in range"
    );
    CHECK(
        problem(R"({"upsert":[{"environment":{"A":1}}]})").detail ==
        "upsert[0].environment.A: expected a string"
    );
    CHECK(problem(R"({"upsert":{}})").detail == "upsert: expected a list");
    CHECK(problem(R"({"version":-1})").detail == "version: expected an integer in range");
    CHECK(problem("nonsense").code == link::errc::protocol);
    CHECK(problem("[]").code == link::errc::protocol);
    CHECK(problem(std::string(100'000, '[').c_str()).code == link::errc::protocol);
}

TEST_CASE(
    "the desired digest depends on what identifies the set, and on its order not at all", "[link][protocol]"
) {
    std::map<PlacementId, DesiredPlacement> set;
    set[PlacementId{"p1"}] = full_placement();
    const std::string digest = desired_digest(set);

    auto changed = set;
    changed[PlacementId{"p1"}].run = true;
    CHECK(desired_digest(changed) != digest);
    changed = set;
    changed[PlacementId{"p1"}].generation = 8;
    CHECK(desired_digest(changed) != digest);
    changed = set;
    changed[PlacementId{"p1"}].credentials.clear();  // covered by `digest`
    CHECK(desired_digest(changed) == digest);
    CHECK(desired_digest({}).size() == 64);
}

TEST_CASE("progress is no part of the observed digest, everything else is", "[link][protocol]") {
    std::map<PlacementId, ObservedPlacement> set;
    set[PlacementId{"p1"}].reason = "r";
    const std::string digest = observed_digest(set);

    set[PlacementId{"p1"}].progress = "pulling";
    CHECK(observed_digest(set) == digest);
    set[PlacementId{"p1"}].services.emplace_back();
    CHECK(observed_digest(set) != digest);
}

TEST_CASE("words that are not text do not make a message unreadable", "[link][protocol]") {
    Accepted accepted;
    accepted.problem = "the engine said \xff\xfe";
    const Result<Accepted> back = decode<Accepted>(encode(accepted));

    REQUIRE(back.has_value());
    CHECK(back->problem == "the engine said \xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("every placement state has one name", "[link][protocol]") {
    for (int i = 0; i <= static_cast<int>(PlacementState::removing); ++i) {
        const auto state = static_cast<PlacementState>(i);
        CHECK(parse_placement_state(to_string(state)) == state);
    }
    CHECK_FALSE(parse_placement_state("dancing"));
}
