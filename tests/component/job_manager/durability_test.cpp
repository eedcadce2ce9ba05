// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>

using namespace icos;
using namespace icos::test;

namespace {

Error full() {
    return Error{store_errc::full, "the disk is full", "free some space"};
}

int reloads_of(World& world) {
    const std::string metrics = world.modules.back()->metrics();
    const std::string name = "\nicos_job_manager_reloads_total ";
    return std::stoi(metrics.substr(metrics.find(name) + name.size()));
}

}  // namespace

TEST_CASE("a change that cannot be stored is refused and leaves no trace in memory", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.settle();
    world.store->failure = full();

    const auto response = world.apply("hello", hello());
    world.settle();

    CHECK(response.status == 507);
    CHECK(json::parse(response.body).at("code").as_string() == "store.full");
    CHECK(world.send(http::Method::get, "/api/v1/apps/hello").status == 404);
    CHECK(world.fleet().plan("edge-1").empty());
    const auto* claims = world.ports->find<ClaimsView>();
    CHECK(claims->current().empty());

    world.run_time().advance(Duration(60'000));
    CHECK(world.apply("hello", hello()).status == 201);
    CHECK(world.fleet().plan("edge-1").size() == 2);
}

TEST_CASE("an update that cannot be stored leaves the generation that was", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("hello", hello());
    world.run_all("edge-1");
    const std::string digest = world.fleet().digest("edge-1");
    world.store->failure = full();

    CHECK(world.apply("hello", hello("demo/web:2")).status == 507);
    world.settle();

    CHECK(world.app("hello").at("generation").to_number<int>() == 1);
    CHECK(world.fleet().digest("edge-1") == digest);
    CHECK(world.state("hello") == "running");
}

TEST_CASE("what a node reports while the disk is full is written when it no longer is", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", ""));
    world.fleet().accept("edge-1");
    world.settle();
    world.store->failure = full();

    world.fleet().report("edge-1", {world.seen(world.desired("edge-1", "worker"))});
    world.run_time().advance(Duration(60'000));

    CHECK(world.state("big") == "running");
    CHECK(world.happened("component.running big/worker"));
    world.reboot();
    CHECK(world.state("big") == "running");
}

TEST_CASE(
    "while the disk stays full, reports are written ever more rarely and the last one wins", "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", ""));
    world.fleet().accept("edge-1");
    world.settle();
    auto seen = world.seen(world.desired("edge-1", "worker"));
    for (int i = 0; i < 600; ++i) {
        world.store->failure = full();
        seen.reason = "report " + std::to_string(i);
        world.fleet().report("edge-1", {seen});
        world.run_time().advance(Duration(100));
    }
    CHECK(reloads_of(world) > 1);
    CHECK(reloads_of(world) < 40);

    world.store->failure.reset();
    world.run_time().advance(Duration(60'000));

    CHECK(
        world.store->rows().at({"placement", seen.placement.value}).body.find("report 599") !=
        std::string::npos
    );
}

TEST_CASE("a delete that cannot be stored is refused, and confirmations are not lost", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("big", worker("big", ""));
    world.run_all("edge-1");
    const PlacementId id = world.desired("edge-1", "worker").placement;
    world.store->failure = full();
    CHECK(world.send(http::Method::del, "/api/v1/apps/big").status == 507);
    world.run_time().advance(Duration(60'000));
    CHECK(world.state("big") == "running");

    world.send(http::Method::del, "/api/v1/apps/big");
    world.store->failure = full();
    world.fleet().accept("edge-1");
    world.fleet().report("edge-1", {}, {id});
    world.run_time().advance(Duration(60'000));

    CHECK(world.send(http::Method::get, "/api/v1/apps/big").status == 404);
    CHECK(world.store->rows().empty());
}

TEST_CASE("a restart offers the same plans and restarts nothing", "[job_manager]") {
    World world;
    world.fleet().set({ready_node("edge-1"), ready_node("edge-2")});
    world.apply("hello", hello());
    world.apply("big", worker("big", "memory: 3Gi"));
    world.apply("waits", worker("waits", "memory: 30Gi"));
    world.run_all("edge-1");
    world.run_all("edge-2");
    const auto before = world.fleet().plans;
    const auto state = json::serialize(world.get("/api/v1/apps/hello").at("components"));
    const auto commits = world.store->commits();

    world.reboot();

    REQUIRE(world.fleet().plans.size() == before.size());
    for (const auto& [target, plan] : before) {
        CHECK(world.fleet().plans.at(target)->digest == plan->digest);
        CHECK(world.fleet().plans.at(target)->set == plan->set);
    }
    CHECK(json::serialize(world.get("/api/v1/apps/hello").at("components")) == state);
    CHECK(world.state("waits") == "pending");
    CHECK(world.store->commits() <= commits + 1);
    world.settle();
    CHECK(world.apply("hello", hello()).status == 200);
}

TEST_CASE("a row that cannot be read stops the start with its name", "[job_manager]") {
    World world;
    world.apply("hello", hello());
    world.halt();
    world.store->put(Row{"placement", "broken", "{\"app\": 5}", 1});

    CHECK_THROWS_WITH(world.boot(), Catch::Contains("the stored placement broken cannot be read"));
    world.modules.clear();
}

TEST_CASE("everything survives on a real store", "[job_manager]") {
    ManualRuntime runtime;
    std::string directory = (std::filesystem::temp_directory_path() / "icos-jobs-test-XXXXXX").string();
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    const auto open = [&] {
        SqliteStoreOptions options;
        options.path = directory + "/state.db";
        auto opened = open_sqlite_store(runtime, options);
        REQUIRE(opened.has_value());
        return std::move(*opened);
    };
    std::string digest;
    {
        const auto store = open();
        {
            World world(runtime, *store, {ready_node("edge-1")});
            REQUIRE(world.apply("hello", hello()).status == 201);
            world.run_all("edge-1");
            digest = world.fleet().digest("edge-1");
        }
        runtime.run_to_end(store->close());
    }
    {
        const auto store = open();
        {
            World world(runtime, *store, {ready_node("edge-1")});
            world.settle();
            CHECK(world.fleet().digest("edge-1") == digest);
            CHECK(world.state("hello") == "running");
            const auto events = world.get("/api/v1/events?app=hello&kind=app.");
            CHECK(events.at("items").at(0).at("kind").as_string() == "app.accepted");
            world.send(http::Method::del, "/api/v1/apps/hello");
            world.fleet().accept("edge-1");
            world.fleet().report("edge-1", {}, {}, true);
            world.settle();
            CHECK(world.send(http::Method::get, "/api/v1/apps/hello").status == 404);
            for (const char* kind : {"app", "app_revision", "placement"}) {
                const auto rows = run(runtime, store->load(kind));
                REQUIRE(rows.has_value());
                CHECK(rows->empty());
            }
        }
        runtime.run_to_end(store->close());
    }
    std::filesystem::remove_all(directory);
}

TEST_CASE(
    "while the disk stays full, what waits and what has to move is tried ever more rarely", "[job_manager]"
) {
    World world;
    world.fleet().set({ready_node("edge-1")});
    world.apply("job", worker("job", ""));
    world.run_all("edge-1");
    world.apply("big", worker("big", "memory: 9Gi"));
    Node lost = ready_node("edge-1");
    lost.state = NodeState::lost;
    world.store->failure = full();
    world.store->keeps_failing = true;
    world.fleet().set({lost, ready_node("edge-2")});
    world.run_time().advance(Duration(60'000));
    CHECK(reloads_of(world) > 1);
    CHECK(reloads_of(world) < 40);

    world.store->failure.reset();
    world.run_time().advance(Duration(60'000));

    CHECK(world.desired("edge-2", "worker").app == "job");
    CHECK(world.happened("placement.moved job/worker"));
}
