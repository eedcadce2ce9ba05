// SPDX-License-Identifier: Apache-2.0
#include "store_world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using icos::test::StoreWorld;

namespace {

ChangeSet app(std::string id, std::optional<std::string> body) {
    ChangeSet set;
    set.changes.push_back({"app", std::move(id), std::move(body)});
    return set;
}

ChangeSet events(std::size_t count) {
    ChangeSet set;
    for (std::size_t i = 0; i < count; ++i) {
        EventDraft event;
        event.kind = "thing.changed";
        set.events.push_back(std::move(event));
    }
    return set;
}

std::string bodies(StoreWorld& world, WallTime at) {
    const auto rows = world.run(world.store->history("app", at));
    if (rows.has_error()) return stable_code(rows.error());
    std::string all;
    for (const Row& row : *rows) all += row.id + "=" + row.body + ";";
    return all;
}

}  // namespace

TEST_CASE("rows are told as they were at a time, also after a restart", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    const WallTime begin = world.runtime.wall();
    REQUIRE(world.run(world.store->commit(app("a", "1"))));
    REQUIRE(world.run(world.store->commit(app("b", "1"))));
    const WallTime first = world.runtime.wall();
    world.runtime.advance(std::chrono::minutes(1));
    REQUIRE(world.run(world.store->commit(app("a", "2"))));
    REQUIRE(world.run(world.store->commit(app("b", std::nullopt))));
    world.close();
    REQUIRE(world.open());

    CHECK(bodies(world, first) == "a=1;b=1;");
    CHECK(bodies(world, world.runtime.wall()) == "a=2;");
    CHECK(bodies(world, begin - std::chrono::seconds(1)) == "store.history_gone");
}

TEST_CASE("kinds that may hold secrets or descriptors have no history", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    ChangeSet set;
    for (const char* kind : {"token", "revision", "thing"}) set.changes.push_back({kind, "x", "secret"});
    REQUIRE(world.run(world.store->commit(set)));

    for (const char* kind : {"token", "revision", "thing"})
        CHECK(world.run(world.store->history(kind, world.runtime.wall())).value().empty());
}

TEST_CASE("the history ends with the retention, but what lives keeps its last image", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(app("lives", "1"))));
    REQUIRE(world.run(world.store->commit(app("lives", "2"))));
    REQUIRE(world.run(world.store->commit(app("gone", "1"))));
    REQUIRE(world.run(world.store->commit(app("gone", std::nullopt))));
    const WallTime old = world.runtime.wall();
    world.runtime.advance(std::chrono::hours(24 * 31));
    REQUIRE(world.run(world.store->commit(events(1100))));

    CHECK(bodies(world, old) == "store.history_gone");
    CHECK(bodies(world, world.runtime.wall() - std::chrono::hours(24)) == "lives=2;");
}

TEST_CASE("after the clock went back the later commit counts", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(app("a", "1"))));
    const WallTime ahead = world.runtime.wall();
    world.runtime.set_wall(ahead - std::chrono::hours(1));
    REQUIRE(world.run(world.store->commit(app("a", "2"))));

    CHECK(bodies(world, world.runtime.wall()) == "a=2;");
    CHECK(bodies(world, ahead) == "a=2;");
}
