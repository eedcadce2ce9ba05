// SPDX-License-Identifier: Apache-2.0
#include "store_world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using icos::test::put;
using icos::test::StoreWorld;

namespace {

ChangeSet many(std::size_t count) {
    ChangeSet set;
    for (std::size_t i = 0; i < count; ++i) {
        EventDraft event;
        event.kind = "thing.changed";
        event.message = "m";
        set.events.push_back(event);
    }
    return set;
}

}  // namespace

TEST_CASE("events beyond their age go, and a cursor from before is told so", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(many(900))));
    world.runtime.advance(std::chrono::hours(24 * 31));
    REQUIRE(world.run(world.store->commit(many(200))));

    CHECK(world.store->first_event() == 901);
    CHECK(world.run(world.store->events(900, 1000, {})).value().size() == 200);
    const auto old = world.run(world.store->events(10, 10, {}));
    REQUIRE(old.has_error());
    CHECK(stable_code(old.error()) == "store.history_gone");
}

TEST_CASE("events beyond their bytes go, oldest first", "[store]") {
    StoreWorld world;
    world.options.event_bytes = 100'000;
    REQUIRE(world.open());
    for (int i = 0; i < 5; ++i) REQUIRE(world.run(world.store->commit(many(400))));

    CHECK(world.store->first_event() > 1);
    CHECK(world.run(world.store->recent(1, {})).value()[0].seq == 2000);
}

TEST_CASE("what is kept survives a restart with its numbers", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(many(3))));
    world.close();
    REQUIRE(world.open());

    REQUIRE(world.run(world.store->commit(many(1))));

    CHECK(world.store->last_event() == 4);
}

TEST_CASE("the last event of a subject that lives stays, whatever its age", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(put("lives", "{}", "first"))));
    REQUIRE(world.run(world.store->commit(put("lives", "{}", "last"))));
    ChangeSet gone = put("gone", "{}", "was here");
    gone.events.push_back(gone.events[0]);
    gone.events[1].kind = "thing.deleted";
    REQUIRE(world.run(world.store->commit(gone)));
    world.runtime.advance(std::chrono::hours(24 * 31));

    REQUIRE(world.run(world.store->commit(many(1100))));

    CHECK(world.store->first_event() == 5);
    const auto kept = world.run(world.store->recent(2000, {})).value();
    REQUIRE(kept.size() == 1101);
    CHECK(kept[0].message == "last");
}

TEST_CASE("retention keeps the bytes of all events near the limit for good", "[store]") {
    StoreWorld world;
    world.options.event_bytes = 200'000;
    REQUIRE(world.open());

    for (int i = 0; i < 40; ++i) REQUIRE(world.run(world.store->commit(many(500))));

    const std::uint64_t kept = world.store->last_event() - world.store->first_event() + 1;
    CHECK(kept > 900);
    CHECK(kept < 2100);
}

TEST_CASE("a clock that jumps to 2100 and back takes no events and no history along", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    ChangeSet app;
    app.changes.push_back({"app", "a", "1"});
    REQUIRE(world.run(world.store->commit(app)));
    app.changes[0].body = "2";
    REQUIRE(world.run(world.store->commit(app)));
    REQUIRE(world.run(world.store->commit(many(500))));
    const WallTime right = world.runtime.wall();

    world.runtime.set_wall(right + std::chrono::hours(24 * 365 * 74));
    for (int i = 0; i < 3; ++i) {
        world.runtime.advance(std::chrono::hours(1));
        REQUIRE(world.run(world.store->commit(many(1000))));
    }
    world.close();
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(many(1000))));
    world.runtime.set_wall(right + std::chrono::hours(3));
    REQUIRE(world.run(world.store->commit(many(1000))));

    CHECK(world.store->first_event() == 1);
    CHECK(world.run(world.store->history("app", right)).has_value());
    // What was recorded in 2100 goes in its turn, 30 days after it was written.
    world.runtime.advance(std::chrono::hours(24 * 31));
    REQUIRE(world.run(world.store->commit(many(1000))));
    CHECK(world.store->first_event() > 1);
}

TEST_CASE("a clock at 1970 neither ages what is kept nor keeps for ever what it stamped", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(many(500))));
    world.runtime.set_wall(WallTime{});
    REQUIRE(world.run(world.store->commit(many(1000))));
    CHECK(world.store->first_event() == 1);

    world.runtime.advance(std::chrono::hours(24 * 31));
    REQUIRE(world.run(world.store->commit(many(1000))));
    CHECK(world.store->first_event() > 1000);
}
