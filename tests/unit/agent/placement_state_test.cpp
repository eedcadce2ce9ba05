// SPDX-License-Identifier: Apache-2.0
#include "agent/placement_state.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::agent;

namespace {

ContainerState container(const std::string& service, const std::string& state) {
    ContainerState out;
    out.id = "id-" + service;
    out.state = state;
    out.labels = {{"icos.eu/service", service}, {"icos.eu/service-index", "1"}};
    out.started_ms = 1'000;
    return out;
}

Judgement judge_all(
    const std::vector<ContainerState>& containers, const Traits& traits = {}, std::int64_t now_ms = 100'000
) {
    std::vector<const ContainerState*> group;
    for (const ContainerState& each : containers) group.push_back(&each);
    return judge(group, traits, {}, Duration(60'000), now_ms);
}

}  // namespace

TEST_CASE("a placement is what its worst service is", "[agent][state]") {
    ContainerState up = container("web", "running");
    ContainerState sick = container("db", "running");
    sick.health = "unhealthy";
    ContainerState done = container("init", "exited");
    done.exit_code = 0;
    ContainerState broken = container("job", "exited");
    broken.exit_code = 2;

    CHECK(judge_all({up}).state == PlacementState::running);
    CHECK(judge_all({up, done}).state == PlacementState::running);
    CHECK(judge_all({done}).state == PlacementState::completed);
    CHECK(judge_all({up, sick}).state == PlacementState::unhealthy);
    CHECK(judge_all({up, sick, broken}).state == PlacementState::failed);
    CHECK(judge_all({}).state == PlacementState::pending);
}

TEST_CASE("the reason names the service, the code and how often it was restarted", "[agent][state]") {
    ContainerState looping = container("web", "restarting");
    looping.exit_code = 137;
    looping.oom_killed = true;
    looping.restarts = 4;

    const Judgement judged = judge_all({looping});

    CHECK(judged.state == PlacementState::restarting);
    CHECK(
        judged.reason ==
        "service 'web' exits with code 137 (out of memory: the limit of the container was reached), "
        "restarted 4 times"
    );
}

TEST_CASE("a restarted container counts as running once it has run for a while", "[agent][state]") {
    ContainerState back = container("web", "running");
    back.restarts = 1;
    back.started_ms = 95'000;

    const Judgement fresh = judge_all({back}, {}, 100'000);
    CHECK(fresh.state == PlacementState::restarting);
    REQUIRE(fresh.look_again);
    CHECK(judge_all({back}, {}, 100'000 + fresh.look_again->count()).state == PlacementState::running);
}

TEST_CASE("a health check that stays undecided becomes unhealthy at the timeout", "[agent][state]") {
    ContainerState slow = container("web", "running");
    slow.health = "starting";
    slow.started_ms = 50'000;

    const Judgement early = judge_all({slow}, {}, 70'000);
    CHECK(early.state == PlacementState::starting);
    REQUIRE(early.look_again);
    CHECK(*early.look_again == Duration(40'000));
    CHECK(judge_all({slow}, {}, 110'000).state == PlacementState::unhealthy);
}

TEST_CASE("a clock that was set back makes nobody unhealthy", "[agent][state]") {
    ContainerState slow = container("web", "running");
    slow.health = "starting";
    slow.started_ms = 1'700'000'000'000;

    CHECK(judge_all({slow}, {}, 5'000).state == PlacementState::starting);
}

TEST_CASE("a dependency condition is met, awaited or lost", "[agent][state]") {
    ContainerState db = container("db", "running");
    db.health = "starting";
    CHECK(meets({&db}, StartCondition::started, "db").verdict == Verdict::passed);
    CHECK(meets({&db}, StartCondition::healthy, "db").verdict == Verdict::wait);
    CHECK(meets({&db}, StartCondition::completed, "db").verdict == Verdict::wait);
    db.health = "healthy";
    CHECK(meets({&db}, StartCondition::healthy, "db").verdict == Verdict::passed);
    db.state = "exited";
    db.exit_code = 1;
    CHECK(meets({&db}, StartCondition::completed, "db").verdict == Verdict::failed);
    CHECK(meets({&db}, StartCondition::healthy, "db").verdict == Verdict::failed);
    db.exit_code = 0;
    CHECK(meets({&db}, StartCondition::completed, "db").verdict == Verdict::passed);
    CHECK(meets({}, StartCondition::started, "db").verdict == Verdict::wait);
}

TEST_CASE("every engine error has a stable reason code", "[agent][state]") {
    for (int value = static_cast<int>(engine_errc::unreachable);
         value <= static_cast<int>(engine_errc::failed);
         ++value) {
        const std::string code = reason_code_of(Error{static_cast<engine_errc>(value), ""});
        CHECK(code.find('.') != std::string::npos);
    }
    CHECK(reason_code_of(Error{engine_errc::image_not_found, ""}) == "image.not_found");
    CHECK(reason_code_of(Error{engine_errc::port_taken, ""}) == "port.taken");
    CHECK(reason_code_of(Error{errc::invalid, ""}) == "spec.invalid");
}
