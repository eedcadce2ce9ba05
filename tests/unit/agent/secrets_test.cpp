// SPDX-License-Identifier: Apache-2.0
#include "agent/accepted_log.hpp"
#include "agent/secret_store.hpp"
#include "agent_world.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include <algorithm>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

const std::string kSecret = "correct horse battery staple";
const std::string kReads = R"("image":"demo/web:1","secrets":[{"source":"db","target":"/run/secrets/db"}])";

std::string with_secret(const std::string& value) {
    return R"(,"secrets":{"db":{"content":")" + value + R"("}})";
}

DesiredPlacement reading(const std::string& digest, const std::string& value = kSecret) {
    return make_placement("p1", digest, {{"web", kReads}}, with_secret(value));
}

/// Paths of the files of secrets with their contents.
std::map<std::string, std::string> secret_files(const AgentWorld& world) {
    std::map<std::string, std::string> out;
    for (const auto& [path, content] : world.disk.files()) {
        if (path.starts_with("/run/icos-agent/secrets/")) out[path] = content->now;
    }
    return out;
}

std::vector<std::string> contents(const AgentWorld& world) {
    std::vector<std::string> out;
    for (const auto& [path, content] : secret_files(world)) out.push_back(content);
    return out;
}

/// Everything the node keeps over a reboot.
std::string state_on_disk(const AgentWorld& world) {
    std::string all;
    for (const auto& [path, content] : world.disk.files()) {
        if (path.starts_with("/state/")) all += content->now;
    }
    return all;
}

}  // namespace

TEST_CASE(
    "peers 33: a secret is a read-only mount of a file in memory, and nothing of it is elsewhere", "[agent]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({reading("d1")});

    REQUIRE(world.state_of("p1") == "running");
    const auto files = secret_files(world);
    REQUIRE(files.size() == 1);
    CHECK(files.begin()->second == kSecret);
    const auto* container = world.engine.by_name("icos-hello-p1-0-web-1");
    REQUIRE(container != nullptr);
    const auto& mount = container->body.at("HostConfig").at("Mounts").as_array().at(0);
    CHECK(mount.at("Source").as_string() == files.begin()->first);
    CHECK(mount.at("Target").as_string() == "/run/secrets/db");
    CHECK(mount.at("ReadOnly").as_bool());
    CHECK(boost::json::serialize(container->body).find(kSecret) == std::string::npos);
    CHECK(container->archives.empty());
    CHECK(state_on_disk(world).find("battery") == std::string::npos);
    for (const Observed& report : world.controller.reports)
        CHECK(encode(report).find("battery") == std::string::npos);
}

TEST_CASE("a secret's file has the owner and the mode that the manifest asks for", "[agent]") {
    AgentWorld world;
    world.start_agent();
    const std::string strict =
        R"("image":"demo/web:1","secrets":[{"source":"db","uid":"1000","gid":"1001","mode":256}])";
    world.want({make_placement("p1", "d1", {{"web", strict}}, with_secret(kSecret))});

    const auto files = secret_files(world);
    REQUIRE(files.size() == 1);
    CHECK(world.disk.files().at(files.begin()->first)->owner == FileOwner{1000, 1001, 0400});
}

TEST_CASE(
    "peers 33: after a reboot without a controller the secret is there again before the container starts",
    "[agent]"
) {
    AgentWorld world;
    world.start_agent();
    const std::string always = kReads + R"(,"restart":"always")";
    world.want({make_placement("p1", "d1", {{"web", always}}, with_secret(kSecret))});
    REQUIRE(world.state_of("p1") == "running");

    world.controller.reachable = false;
    world.reboot();
    REQUIRE(secret_files(world).empty());
    // The engine comes up before the agent: it must not start the container on a path that is not there.
    CHECK(world.engine.names("running").empty());
    world.start_agent();
    world.pass(Duration(10'000));

    CHECK(contents(world) == std::vector<std::string>{kSecret});
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p1-0-web-1"});
}

TEST_CASE("what prepares the boot makes the files without an agent", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({reading("d1")});
    const auto before = secret_files(world);
    world.reboot();
    REQUIRE(secret_files(world).empty());

    SecretStore store(world.runtime, world.disk, "/state", "/run/icos-agent/secrets");
    auto seal = std::make_shared<const Seal>(load_seal_key(world.disk, {{}, "/state"}).value());
    REQUIRE(run(world.runtime, store.open(seal)).has_value());

    CHECK(secret_files(world) == before);
}

TEST_CASE("a restarted agent leaves the file that a running container has mounted", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.want({reading("d1")});
    const auto running = world.running();
    const std::string path = secret_files(world).begin()->first;
    const auto* mounted = world.disk.files().at(path).get();

    world.restart_agent();
    world.pass(Duration(5'000));

    CHECK(world.running() == running);
    CHECK(world.disk.files().at(path).get() == mounted);
}

TEST_CASE(
    "a changed secret is another generation: the old file goes once nothing has it mounted", "[agent]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({reading("d1", "old")});
    REQUIRE(contents(world) == std::vector<std::string>{"old"});

    world.want({reading("d2", "new")}, Duration(20'000));

    CHECK(world.state_of("p1") == "running");
    CHECK(world.seen("p1").digest == "d2");
    CHECK(contents(world) == std::vector<std::string>{"new"});

    world.want({}, Duration(20'000));
    CHECK(contents(world).empty());
    CHECK(world.engine.all().empty());
}

TEST_CASE(
    "after a reboot a generation that was kept because its successor failed has its secret", "[agent]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({reading("d1", "old")});
    world.engine.behaviours["demo/web:2"].exits_with = 1;
    const std::string bad = R"("image":"demo/web:2","secrets":[{"source":"db","target":"/run/secrets/db"}])";
    world.want({make_placement("p1", "d2", {{"web", bad}}, with_secret("new"))}, Duration(30'000));
    REQUIRE(world.seen("p1").digest == "d1");

    world.controller.reachable = false;
    world.reboot();
    world.start_agent();
    world.pass(Duration(60'000));

    const auto all = contents(world);
    CHECK(std::find(all.begin(), all.end(), "old") != all.end());
    CHECK(world.engine.names("running") == std::vector<std::string>{"icos-hello-p1-0-web-1"});
}

TEST_CASE("a secret that cannot be kept for the next boot is not given to a container", "[agent]") {
    ManualRuntime runtime;
    MemoryDisk disk;
    SecretStore store(runtime, disk, "/state", "/run/icos-agent/secrets");
    const auto seal = std::make_shared<const Seal>(std::string(32, 'k'));
    REQUIRE(run(runtime, store.open(seal)).has_value());
    const SecretFile file{secrets_folder(PlacementId{"p1"}, "d1") + "/f", kSecret, 0444, {}, {}};

    disk.is_full = true;
    const Result<void> refused = run(runtime, store.provide({file}));
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == store_errc::full);
    CHECK_FALSE(disk.exists("/run/icos-agent/secrets/" + file.source));

    disk.is_full = false;
    CHECK(run(runtime, store.provide({file})).has_value());
    CHECK(disk.content("/run/icos-agent/secrets/" + file.source) == kSecret);
}

TEST_CASE(
    "peers 33: an accepted log that the key does not open is asked for again, and what runs goes on",
    "[agent]"
) {
    AgentWorld world;
    world.start_agent();
    world.want({reading("d1")});
    const auto running = world.running();
    REQUIRE(running.size() == 1);

    world.kill_agent();
    world.disk.put("/state/seal.key", std::string(32, 'z'));
    world.controller.reachable = false;
    world.start_agent();
    world.pass(Duration(30'000));
    CHECK(world.running() == running);
    CHECK(world.node->metrics().find("icos_agent_accepted_log_unreadable 1") != std::string::npos);
    CHECK_FALSE(world.disk.content("/state/accepted.log.unreadable").empty());

    world.controller.reachable = true;
    world.pass(Duration(60'000));
    CHECK(world.controller.hellos.back().accepted_digest.empty());
    CHECK(world.running() == running);
    CHECK_FALSE(world.disk.content("/state/secrets.sealed.unreadable").empty());
    CHECK(contents(world) == std::vector<std::string>{kSecret});
    CHECK(world.state_of("p1") == "running");
}

TEST_CASE("an agent whose key others may read does not start", "[agent]") {
    AgentWorld world;
    world.start_agent();
    world.kill_agent();
    REQUIRE(world.disk.set_owner("/state/seal.key", {0, 0, 0644}));

    CHECK_THROWS_WITH(world.start_agent(), Catch::Contains("seal.exposed"));
}

TEST_CASE("peers 17: a new registry password reaches the pull and restarts nothing", "[agent]") {
    AgentWorld world;
    world.start_agent();
    DesiredPlacement placement = reading("d1");
    placement.credentials = {{"registry.example", "me", "first"}};
    placement.credentials_digest = "c1";
    world.want({placement});
    const auto running = world.running();
    REQUIRE(running.size() == 1);
    CHECK(state_on_disk(world).find("first") == std::string::npos);

    placement.credentials = {{"registry.example", "me", "second"}};
    placement.credentials_digest = "c2";
    world.want({placement});

    CHECK(world.running() == running);
    CHECK(world.controller.accepted.back().digest == desired_digest(world.controller.desired));
}
