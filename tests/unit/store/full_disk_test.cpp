// SPDX-License-Identifier: Apache-2.0
#include "full_disk.hpp"

#include "icos/async/task_group.hpp"
#include "icos/core/log.hpp"
#include "store_world.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using icos::test::FullDisk;
using icos::test::put;
using icos::test::StoreWorld;

namespace {

class QuietLog {
public:
    QuietLog() { configure_logging({LogLevel::error, LogFormat::text, false}); }
    ~QuietLog() { configure_logging({LogLevel::warning, LogFormat::text, true}); }
};

Task<> commit_and_note(Store& store, std::string id, std::vector<std::string>& notes) {
    const auto version = co_await store.commit(put(id, "{}", "changed"));
    notes.push_back(
        id + " " + (version.has_value() ? std::to_string(*version) : stable_code(version.error()))
    );
}

}  // namespace

TEST_CASE(
    "on a full disk all queued changes fail together, reads go on, and writing resumes with space", "[store]"
) {
    const QuietLog quiet;
    FullDisk disk;
    StoreWorld world;
    world.options.vfs = FullDisk::kName;
    REQUIRE(world.open());
    std::vector<std::string> notes;
    std::size_t events = 0;
    const auto on_event = world.store->on_event([&events](const std::shared_ptr<const Event>&) { ++events; });
    const auto on_dropped = world.store->on_dropped([&notes] { notes.emplace_back("dropped"); });
    TaskGroup tasks(world.runtime);
    tasks.spawn("a", commit_and_note(*world.store, "a", notes));
    world.runtime.run_until_idle();

    disk.fill();
    for (const char* id : {"b", "c", "d"}) tasks.spawn(id, commit_and_note(*world.store, id, notes));
    world.runtime.run_until_idle();
    CHECK(
        notes == std::vector<std::string>{"a 1", "dropped", "b store.full", "c store.full", "d store.full"}
    );
    CHECK(world.run(world.store->load("thing")).value().size() == 1);
    CHECK(world.store->last_version() == 1);
    disk.make_room();
    tasks.spawn("e", commit_and_note(*world.store, "e", notes));
    world.runtime.run_until_idle();

    CHECK(notes.back() == "e 2");
    CHECK(events == 2);
    CHECK(world.run(world.store->events(0, 10, {})).value().back().seq == 2);
    CHECK(world.run(world.store->load("thing")).value().size() == 2);
}

TEST_CASE("what a full disk refused is not there after a restart", "[store]") {
    const QuietLog quiet;
    FullDisk disk;
    StoreWorld world;
    world.options.vfs = FullDisk::kName;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(put("a", "{}"))));
    disk.fill();
    REQUIRE(world.run(world.store->commit(put("b", "{}"))).has_error());
    disk.make_room();

    world.close();
    REQUIRE(world.open());

    const auto rows = world.run(world.store->load("thing")).value();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].id == "a");
}
