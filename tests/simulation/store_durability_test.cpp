// SPDX-License-Identifier: Apache-2.0
// The controller's store on a disk that forgets: power is lost between any two changes of the disk.
#include "icos/async/task_group.hpp"
#include "icos/core/log.hpp"
#include "icos/store/store.hpp"
#include "process.hpp"
#include "sim_disk.hpp"
#include "sim_vfs.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

using namespace icos;
using namespace icos::sim;

namespace {

/// What clients of the store were told, over several lives of its process.
struct Told {
    std::map<std::string, int> acknowledged{};  ///< row -> newest acknowledged value
    std::map<std::string, int> asked{};         ///< row -> newest value given to the store
    std::uint64_t last_event = 0;
};

struct Life {
    Life(World& world, Machine& machine, SimDisk& disk, int number)
        : process(world, machine, fmt::format("store {}", number)),
          vfs(
              disk,
              [this] { return to_ms(process.wall()); },
              [this](std::string& bytes) { process.random_bytes(std::as_writable_bytes(std::span(bytes))); }
          ) {}
    SimProcess process;
    SimVfs vfs;
    std::unique_ptr<Store> store{};
    bool checked = false;
    bool closed = false;
    std::string problem{};
};

/// What this life reads counts as told from now on: somebody may have acted on it.
Task<> check(Life& life, Told& told) {
    const Result<std::vector<Row>> rows = co_await life.store->load("thing");
    if (life.process.dead()) co_return;
    if (rows.has_error()) {
        life.problem = describe(rows.error());
        co_return;
    }
    std::map<std::string, int> found;
    for (const Row& row : *rows) found[row.id] = std::stoi(row.body.substr(0, row.body.find(' ')));
    for (const auto& [id, value] : told.acknowledged) {
        if (!found.contains(id) || found[id] < value) life.problem = "row " + id + " is lost or old";
        if (found[id] > told.asked.at(id)) life.problem = "row " + id + " has a value nobody gave";
    }
    const Result<std::vector<Event>> events = co_await life.store->events(0, 100'000, {});
    if (life.process.dead()) co_return;
    if (events.has_error()) {
        life.problem = describe(events.error());
        co_return;
    }
    std::uint64_t expected = 0;
    for (const Event& event : *events) {
        if (event.seq != ++expected) life.problem = "the events have a gap";
    }
    if (expected < told.last_event) life.problem = "an event is lost";
    for (const auto& [id, value] : found) told.acknowledged[id] = std::max(told.acknowledged[id], value);
    told.last_event = std::max(told.last_event, expected);
    life.checked = true;
}

Task<> write_row(Life& life, Told& told, int value, std::size_t bytes) {
    const std::string id = fmt::format("row-{}", value % 7);
    ChangeSet set;
    set.changes.push_back(Change{"thing", id, fmt::format("{} {}", value, std::string(bytes, 'x'))});
    EventDraft event;
    event.kind = "thing.changed";
    event.subject = id;
    set.events.push_back(std::move(event));
    told.asked[id] = value;
    const Result<std::uint64_t> committed = co_await life.store->commit(std::move(set));
    if (committed.has_error() || life.process.dead()) co_return;
    told.acknowledged[id] = std::max(told.acknowledged[id], value);
    told.last_event = std::max(told.last_event, life.store->last_event());
}

Task<> work(Life& life, Told& told, int& next) {
    co_await check(life, told);
    if (!life.problem.empty()) co_return;
    for (int i = 0; i < 400 && !life.process.dead(); ++i) {
        const int value = ++next;
        const std::size_t bytes = value % 3 == 0 ? 30'000 : 300;
        co_await write_row(life, told, value, bytes);
    }
}

Task<> close(Life& life) {
    co_await life.store->close();
    life.closed = true;
}

/// Several lives that each end in a power loss; "" if nothing that was acknowledged got lost.
std::string lose_power_again_and_again(
    std::uint64_t seed, const std::string& ignored, std::set<std::string>* syncs
) {
    configure_logging(LogSettings{LogLevel::error, LogFormat::text, false});
    World world(seed);
    seed_sqlite(seed);
    Machine machine{.name = "controller", .boot_id = "boot"};
    auto ledger = std::make_shared<SyncLedger>();
    ledger->ignored = ignored;
    auto disk = std::make_unique<SimDisk>("store", ledger);
    Rng rng = world.rng().fork("test");
    Told told;
    int next = 0;
    for (int number = 1; number <= 6; ++number) {
        std::unique_ptr<SimDisk> survivor;
        {
            Life life(world, machine, *disk, number);
            const bool is_killed = rng.one_in(3);  // the process alone: the kernel keeps what it has
            const auto die = [&] {
                survivor = disk->after(is_killed ? Ending::kill : Ending::power_loss, rng);
            };
            // Mostly soon, at times only once the log was copied into the database and begun anew.
            disk->arm(1 + rng.below(rng.one_in(2) ? 40 : 4000), [&] {
                die();
                life.process.arm_crash(0, [&life] { life.process.begin_dying(); });
            });
            auto store = open_sqlite_store(
                life.process,
                SqliteStoreOptions{.path = "data/icos.db", .vfs = life.vfs.name(), .lock_directory = false}
            );
            if (store.has_error()) return "cannot be opened: " + describe(store.error());
            life.store = std::move(*store);
            life.process.spawn("work", work(life, told, next));
            world.run_until(world.now() + 60s);
            disk->disarm();
            if (!survivor) die();
            life.process.begin_dying();
            life.process.spawn("close", close(life));
            life.process.drain([&life] { return life.closed; });
            life.store.reset();
            life.process.drain([] { return false; });
            if (!life.problem.empty()) return life.problem;
        }
        disk = std::move(survivor);
    }
    if (syncs != nullptr) {
        for (const auto& [name, calls] : ledger->called) syncs->insert(name);
    }
    return {};
}

}  // namespace

TEST_CASE(
    "whatever the store acknowledged survives a power loss between any two changes of its disk",
    "[simulation]"
) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        INFO("seed " << seed);
        CHECK(lose_power_again_and_again(seed, "", nullptr) == "");
    }
}

TEST_CASE("the store loses something when any one of its syncs does nothing", "[simulation]") {
    std::set<std::string> syncs;
    REQUIRE(lose_power_again_and_again(1, "", &syncs).empty());
    REQUIRE(lose_power_again_and_again(2, "", &syncs).empty());
    CHECK(syncs == std::set<std::string>{"store.database", "store.directory", "store.journal", "store.wal"});
    // The rollback journal protects only the step from an empty file to an empty database in WAL mode.
    syncs.erase("store.journal");
    for (const std::string& name : syncs) {
        bool lost = false;
        for (std::uint64_t seed = 1; seed <= 60 && !lost; ++seed) {
            lost = !lose_power_again_and_again(seed, name, nullptr).empty();
        }
        INFO(name);
        CHECK(lost);
    }
}
