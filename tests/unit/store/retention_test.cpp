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
