// SPDX-License-Identifier: Apache-2.0
#include "agent_world.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

struct Lines {
    std::vector<std::string> messages;
    std::optional<Error> error;
    bool ended = false;
};

Task<> collect(std::shared_ptr<link::Channel> channel, Lines* out) {
    while (true) {
        const Result<std::optional<std::string>> message = co_await channel->read();
        if (message.has_error()) {
            out->error = message.error();
            co_return;
        }
        if (!message->has_value()) {
            out->ended = true;
            co_return;
        }
        out->messages.push_back(**message);
    }
}

Task<> forget_result(Task<Result<void>> work) {
    (void)co_await std::move(work);
}

Lines ask(AgentWorld& world, const std::string& kind, const std::string& arguments) {
    Lines lines;
    auto channel = world.controller.session()->open(kind, arguments);
    run(world.runtime, collect(channel, &lines));
    return lines;
}

}  // namespace

TEST_CASE("the agent tries its controllers in turn, for ever", "[agent][link]") {
    AgentWorld world;
    world.controller.reachable = false;
    world.start_agent();
    world.pass(std::chrono::hours(2));

    REQUIRE(world.controller.dialled.size() > 100);
    CHECK(world.controller.dialled[0] == "vm-1:7443");
    CHECK(world.controller.dialled[1] == "vm-2:7443");
    world.controller.reachable = true;
    world.pass(Duration(31'000));
    CHECK(world.node->connected());
}

TEST_CASE("a set counts only once it is on the node's disk", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    REQUIRE(world.controller.accepted.back().problem.empty());

    world.kill_agent();
    world.disk.lose_power();
    world.start_agent();

    CHECK(world.controller.hellos.back().accepted_digest == desired_digest(world.controller.desired));
}

TEST_CASE(
    "with a full disk the new set is not taken, the problem is told and the old one goes on", "[agent][link]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    const std::string old_digest = world.controller.accepted.back().digest;

    world.disk.is_full = true;
    world.want({make_placement("p1", "d1", {{"web"}}), make_placement("p2", "d2", {{"db"}})});
    CHECK(world.controller.accepted.back().digest == old_digest);
    CHECK_THAT(world.controller.accepted.back().problem, Catch::Contains("store.full"));
    CHECK(world.state_of("p1") == "running");
    CHECK(world.state_of("p2") == "absent");

    world.disk.is_full = false;
    world.controller.send_desired();
    world.pass(Duration(3'000));
    CHECK(world.controller.accepted.back().problem.empty());
    CHECK(world.state_of("p2") == "running");
}

TEST_CASE(
    "a step from a set that the node does not have is answered by asking for the whole", "[agent][link]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});

    Desired step;
    step.upsert.push_back(make_placement("p2", "d2", {{"db"}}));
    world.controller.desired[PlacementId{"p2"}] = step.upsert[0];
    world.controller.send_desired_step("some other digest", step);
    world.pass(Duration(3'000));

    CHECK(world.controller.resends == std::vector<std::string>{"desired"});
    CHECK(world.state_of("p2") == "running");
}

TEST_CASE("a step from the accepted set is enough", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});

    const std::string base = desired_digest(world.controller.desired);
    Desired step;
    step.upsert.push_back(make_placement("p2", "d2", {{"db"}}));
    step.remove.push_back(PlacementId{"p1"});
    world.controller.desired[PlacementId{"p2"}] = step.upsert[0];
    world.controller.desired.erase(PlacementId{"p1"});
    world.controller.send_desired_step(base, step);
    world.pass(Duration(3'000));

    CHECK(world.controller.resends.empty());
    CHECK(world.state_of("p1") == "absent");
    CHECK(world.state_of("p2") == "running");
}

TEST_CASE("a controller that lost the observed set gets it whole", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});

    world.controller.observed.clear();
    world.controller.observed_digest = "lost";
    world.controller.send(encode(Resend{"observed"}));
    world.pass(Duration(1'000));

    CHECK(world.controller.reports.back().base.empty());
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("only what changed is reported", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}}), make_placement("p2", "d2", {{"db"}})});
    const std::size_t before = world.controller.reports.size();

    world.engine.die(world.engine.by_name("icos-hello-p2-0-db-1")->state.id, 4);
    world.pass(Duration(5'000));

    REQUIRE(world.controller.reports.size() > before);
    for (std::size_t i = before; i < world.controller.reports.size(); ++i) {
        REQUIRE(world.controller.reports[i].upsert.size() == 1);
        CHECK(world.controller.reports[i].upsert[0].placement == PlacementId{"p2"});
        CHECK_FALSE(world.controller.reports[i].base.empty());
    }
    CHECK(world.state_of("p2") == "failed");
    CHECK(world.seen("p2").reason == "service 'db' exits with code 4");
}

TEST_CASE("the facts are told again when the engine goes and comes", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    CHECK(world.controller.hellos.back().facts.engine == "docker");

    world.engine.available = false;
    world.engine.restart_engine();
    world.pass(Duration(5'000));
    REQUIRE_FALSE(world.controller.facts.empty());
    CHECK(world.controller.facts.back().engine.empty());
    CHECK_THAT(world.controller.facts.back().engine_problem, Catch::Contains("does not answer"));

    world.engine.available = true;
    world.pass(Duration(20'000));
    CHECK(world.controller.facts.back().engine == "docker");
    CHECK(world.controller.facts.back().engine_problem.empty());
}

TEST_CASE("a refused node goes on running what it has and goes on asking", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    const auto before = world.running();

    world.controller.refusal =
        R"({"type":"refused","code":"node.revoked","detail":"the key is revoked","hint":""})";
    world.controller.drop_link();
    world.pass(std::chrono::minutes(30));

    CHECK(world.running() == before);
    CHECK_FALSE(world.node->connected());
    CHECK(world.controller.hellos.size() > 10);
}

TEST_CASE("stopping the agent leaves the containers alone", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    const auto before = world.running();

    run(world.runtime, world.node->stop(Duration(4'000)));

    CHECK(world.running() == before);
    CHECK_FALSE(world.node->connected());
}

TEST_CASE("logs of several services come merged by time", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}, {"db"}})});
    world.engine.log_lines["icos-hello-p1-0-web-1"] = {
        {false, 10, "t10", "one"}, {true, 30, "t30", "th\xffree"}
    };
    world.engine.log_lines["icos-hello-p1-0-db-1"] = {{false, 20, "t20", "two"}};

    const Lines lines = ask(world, "logs", R"({"placement":"p1"})");

    REQUIRE(lines.messages.size() == 1);
    CHECK(lines.ended);
    CHECK(boost::json::parse(lines.messages[0]) == boost::json::parse(R"([
        {"service":"web","stream":"stdout","ts":"t10","line":"one"},
        {"service":"db","stream":"stdout","ts":"t20","line":"two"},
        {"service":"web","stream":"stderr","ts":"t30","line":"th\ufffdree"}])"));
}

TEST_CASE("logs of one service, from a time, the last ones only", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}, {"db"}})});
    world.engine.log_lines["icos-hello-p1-0-web-1"] = {
        {false, 10, "a", "1"}, {false, 20, "b", "2"}, {false, 30, "c", "3"}
    };

    const Lines lines = ask(world, "logs", R"({"placement":"p1","service":"web","since_ms":15,"tail":1})");

    REQUIRE(lines.messages.size() == 1);
    CHECK(boost::json::parse(lines.messages[0]).as_array().size() == 1);
    CHECK_THAT(lines.messages[0], Catch::Contains(R"("line":"3")"));
}

TEST_CASE("asking for a service that is not there names those that are", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}, {"db"}})});

    const Lines lines = ask(world, "logs", R"({"placement":"p1","service":"wbe"})");

    REQUIRE(lines.error);
    CHECK(lines.error->code == link::errc::reset);
    CHECK(lines.error->detail == "no service is named 'wbe' (there are: db, web)");
}

TEST_CASE("exec passes output and the exit code", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});

    const Lines good = ask(world, "exec", R"({"placement":"p1","service":"web","command":["echo","hi"]})");
    CHECK(
        good.messages == std::vector<std::string>{std::string(1, '\0') + "echo hi\n", "\x02{\"exit_code\":0}"}
    );
    const Lines bad = ask(world, "exec", R"({"placement":"p9","command":["ls"]})");
    REQUIRE(bad.messages.size() == 1);
    CHECK_THAT(bad.messages[0], Catch::Contains("engine.not_found"));
}

TEST_CASE("a channel of an unknown kind is refused and the link goes on", "[agent][link]") {
    AgentWorld world;
    world.start_agent();

    const Lines lines = ask(world, "telepathy", "{}");

    REQUIRE(lines.error);
    CHECK(lines.error->code == link::errc::refused);
    CHECK(world.node->connected());
}

TEST_CASE("an agent that is stopped while it starts is over then", "[agent][link]") {
    AgentWorld world;
    world.start_agent();
    world.want({make_placement("p1", "d1", {{"web"}})});
    world.reboot();
    world.make_agent();
    world.controller.dialled.clear();
    TaskGroup tasks(world.runtime);
    tasks.spawn("start", forget_result(world.node->start()));
    tasks.spawn("stop", world.node->stop(Duration(4'000)));
    world.pass(std::chrono::minutes(1));

    CHECK(tasks.size() == 0);
    CHECK(world.controller.dialled.empty());
    CHECK(world.running().empty());
    CHECK_FALSE(world.node->connected());
}
