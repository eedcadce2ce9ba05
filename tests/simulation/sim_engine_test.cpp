// SPDX-License-Identifier: Apache-2.0
#include "sim_engine.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace icos;
using namespace icos::sim;

namespace {

struct EngineWorld {
    explicit EngineWorld(std::uint64_t seed)
        : world(seed), engine(world, machine), process(world, machine, "agent") {}

    /// Pulls, creates and starts one container.
    static Task<> bring_up(EngineWorld& self, std::string image, std::string policy) {
        SimEngineClient client(self.engine, self.process);
        const Result<void> pulled = co_await client.pull(image, "", nullptr);
        if (pulled.has_error()) {
            self.error = stable_code(pulled.error());
            co_return;
        }
        boost::json::object body =
            boost::json::parse(
                R"({"Labels": {"a": "b"}, "Env": ["REV=7"], "HostConfig": {"PortBindings": {"80/tcp":
                [{"HostPort": "8080"}]}}})"
            )
                .as_object();
        body["Image"] = image;
        body["HostConfig"].as_object()["RestartPolicy"] = {{"Name", policy}};
        Result<std::string> id =
            co_await client.create_container("web-" + std::to_string(++self.names), std::move(body));
        if (id.has_error()) {
            self.error = stable_code(id.error());
            co_return;
        }
        const Result<void> started = co_await client.start(*id);
        if (started.has_error()) self.error = stable_code(started.error());
    }
    void up(const std::string& image, const std::string& policy) {
        process.spawn("bring up", bring_up(*this, image, policy));
        world.run_until(world.now() + 2min);
    }
    const SimContainer& only() const { return engine.containers().begin()->second; }

    World world;
    Machine machine{"edge-1"};
    SimEngine engine;
    SimProcess process;
    std::string error{};
    int names = 0;
};

}  // namespace

TEST_CASE("a container runs on when the agent that started it is gone", "[simulation]") {
    EngineWorld w(1);
    w.up("demo/web:1", "unless-stopped");
    REQUIRE(w.error.empty());
    const std::int64_t started = w.only().state.started_ms;

    w.process.begin_dying();
    w.world.run_until(w.world.now() + 10min);

    CHECK(w.only().state.state == "running");
    CHECK(w.only().state.started_ms == started);
    CHECK(w.only().revision == "7");
}

TEST_CASE("restart policies decide what a reboot brings back", "[simulation]") {
    EngineWorld w(2);
    const std::string policy = GENERATE(as<std::string>(), "no", "unless-stopped");
    w.up("demo/web:1", policy);
    w.engine.power_off();
    CHECK(w.only().state.state == "exited");
    w.engine.power_on();
    CHECK(w.only().state.state == (policy == "no" ? "exited" : "running"));
}

TEST_CASE("an image no registry has, and a port that is taken, are refused", "[simulation]") {
    EngineWorld w(3);
    w.up("demo/absent:1", "no");
    CHECK(w.error == "engine.image_not_found");
    w.up("demo/web:1", "no");
    w.up("demo/web:1", "no");
    CHECK(w.error == "engine.port_taken");
}

TEST_CASE("a container that exits again and again is restarted with growing delays", "[simulation]") {
    EngineWorld w(4);
    w.up("demo/crash:1", "always");
    w.world.run_until(w.world.now() + 10min);
    CHECK(w.only().state.restarts > 3);
    CHECK(w.only().state.restarts < 50);
}

TEST_CASE("a call of a process that died has no effect", "[simulation]") {
    EngineWorld w(5);
    w.process.spawn("bring up", EngineWorld::bring_up(w, "demo/web:1", "no"));
    w.world.run_until(500ms);
    w.process.begin_dying();
    w.process.drain([] { return false; });
    w.world.run_until(1min);
    CHECK(w.engine.containers().empty());
}
