// SPDX-License-Identifier: Apache-2.0
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "icos/store/disk.hpp"
#include "store_world.hpp"

#include <catch2/catch.hpp>
#include <sqlite3.h>

using namespace icos;
using icos::test::put;
using icos::test::StoreWorld;

namespace {

/// Holds pool work back until its gate is opened.
class GatedRuntime final : public Runtime {
public:
    explicit GatedRuntime(Runtime& real) : real_(real), opened_(real) {}
    void open_gate() {
        is_open_ = true;
        opened_.notify();
    }
    boost::asio::any_io_executor loop() override { return real_.loop(); }
    WallTime wall() const override { return real_.wall(); }
    BootTime boot() const override { return real_.boot(); }
    std::unique_ptr<Timer> schedule(Duration after, std::function<void()> callback) override {
        return real_.schedule(after, std::move(callback));
    }
    void random_bytes(std::span<std::byte> out) override { real_.random_bytes(out); }
    Task<> run_on(Pool pool, std::function<void()> work) override {
        while (!is_open_) co_await opened_.wait();
        co_await real_.run_on(pool, std::move(work));
    }

private:
    Runtime& real_;
    Signal opened_;
    bool is_open_ = false;
};

void sql(const std::string& path, const char* text) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, text, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

Task<> commit_and_note(Store& store, ChangeSet changes, std::vector<std::string>& order) {
    const auto version = co_await store.commit(std::move(changes));
    order.push_back(version.has_value() ? "v" + std::to_string(*version) : stable_code(version.error()));
}

}  // namespace

TEST_CASE("what was committed is there after the store was opened again", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(put("a", "{\"x\":1}"))).value() == 1);
    REQUIRE(world.run(world.store->commit(put("b", "{}"))).value() == 2);
    ChangeSet removal;
    removal.changes.push_back({"thing", "b", std::nullopt});
    REQUIRE(world.run(world.store->commit(std::move(removal))).value() == 3);

    world.close();
    REQUIRE(world.open());
    const auto rows = world.run(world.store->load("thing")).value();

    REQUIRE(rows.size() == 1);
    CHECK(rows[0].id == "a");
    CHECK(rows[0].body == "{\"x\":1}");
    CHECK(rows[0].version == 1);
    CHECK(world.store->last_version() == 3);
    CHECK(world.run(world.store->load("other")).value().empty());
}

TEST_CASE("rows are read by the beginning of their id", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    for (const char* id : {"a", "a/1", "a/2", "a0/1", "b/1"}) {
        REQUIRE(world.run(world.store->commit(put(id, "{}"))).has_value());
    }

    const auto rows = world.run(world.store->load("thing", "a/")).value();

    REQUIRE(rows.size() == 2);
    CHECK(rows[0].id == "a/1");
    CHECK(rows[1].id == "a/2");
}

TEST_CASE("commits are answered in the order they were made, after their events were told", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    std::vector<std::string> order;
    const auto token =
        world.store->on_event([&](const auto& event) { order.push_back("event " + event->message); });
    {
        TaskGroup tasks(world.runtime);
        tasks.spawn("first", commit_and_note(*world.store, put("a", "{}", "one"), order));
        tasks.spawn("second", commit_and_note(*world.store, put("a", "{}", "two"), order));
        world.runtime.run_until_idle();
    }

    CHECK(order == std::vector<std::string>{"event one", "event two", "v1", "v2"});
}

TEST_CASE("a change is queued before its task is awaited", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());

    auto first = world.store->commit(put("a", "\"first\""));
    auto second = world.store->commit(put("a", "\"second\""));

    CHECK(world.run(std::move(second)).value() == 2);
    CHECK(world.run(std::move(first)).value() == 1);
    CHECK(world.run(world.store->load("thing")).value()[0].body == "\"second\"");
}

TEST_CASE("events keep what they were recorded with and are filtered", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    ChangeSet set;
    EventDraft draft{
        "node.lost",
        Layer::security,
        "p",
        "node",
        "edge-1",
        "lease expired",
        "hello",
        "edge-1",
        7,
        "fleet",
        "{\"a\":1}"
    };
    set.events.push_back(draft);
    draft.kind = "app.accepted";
    draft.app = "other";
    draft.node = "";
    set.events.push_back(draft);
    REQUIRE(world.run(world.store->commit(std::move(set))));

    const auto all = world.run(world.store->events(0, 10, {})).value();
    EventFilter nodes;
    nodes.kind = "node.";
    const auto lost = world.run(world.store->events(0, 10, nodes)).value();
    EventFilter other;
    other.app = "other";

    REQUIRE(all.size() == 2);
    CHECK(all[0].seq == 1);
    CHECK(all[1].seq == 2);
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].message == "lease expired");
    CHECK(lost[0].layer == Layer::security);
    CHECK(lost[0].cause == 7);
    CHECK(lost[0].data == "{\"a\":1}");
    CHECK(lost[0].at == world.runtime.wall());
    CHECK(nodes.matches(lost[0]));
    CHECK_FALSE(other.matches(lost[0]));
    CHECK(world.run(world.store->recent(1, {})).value()[0].seq == 2);
    CHECK(world.run(world.store->events(1, 10, nodes)).value().empty());
}

TEST_CASE(
    "when a commit fails, it and all later ones are dropped together, and later work goes on", "[store]"
) {
    StoreWorld world;
    REQUIRE(world.open());
    REQUIRE(world.run(world.store->commit(put("a", "{}"))).value() == 1);
    // Takes the write lock away for longer than the busy timeout allows to wait: as a disk that does not take
    // writes.
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open(world.options.path.c_str(), &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "DROP TABLE resources", nullptr, nullptr, nullptr) == SQLITE_OK);
    int dropped = 0;
    const auto token = world.store->on_dropped([&] { ++dropped; });
    std::vector<std::string> order;
    {
        TaskGroup tasks(world.runtime);
        tasks.spawn("b", commit_and_note(*world.store, put("b", "{}"), order));
        tasks.spawn("c", commit_and_note(*world.store, put("c", "{}"), order));
        world.runtime.run_until_idle();
    }
    CHECK(order == std::vector<std::string>{"store.corrupt", "store.corrupt"});
    CHECK(dropped == 1);

    REQUIRE(
        sqlite3_exec(
            other,
            "CREATE TABLE resources (kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, body "
            "TEXT NOT NULL, "
            "PRIMARY KEY (kind, id)) STRICT",
            nullptr,
            nullptr,
            nullptr
        ) == SQLITE_OK
    );
    sqlite3_close(other);
    CHECK(world.run(world.store->commit(put("d", "{}"))).value() == 2);
}

TEST_CASE("a change set is written as a whole or not at all", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    ChangeSet set = put("a", "{}");
    set.changes.push_back({"thing", "b", std::string("\xff\xfe invalid but stored as it is")});
    REQUIRE(world.run(world.store->commit(std::move(set))));

    CHECK(world.run(world.store->load("thing")).value().size() == 2);
}

TEST_CASE("beyond the queue's bound commits fail with store.busy", "[store]") {
    StoreWorld world;
    world.options.max_queue = 4;
    REQUIRE(world.open());
    std::vector<std::string> order;
    {
        TaskGroup tasks(world.runtime);
        std::vector<Task<Result<std::uint64_t>>> queued;
        for (int i = 0; i < 5; ++i) queued.push_back(world.store->commit(put(std::to_string(i), "{}")));
        CHECK(stable_code(world.run(std::move(queued[4])).error()) == "store.busy");
    }

    CHECK(world.run(world.store->load("thing")).value().empty());
    CHECK(world.run(world.store->commit(put("x", "{}"))).value() == 1);
}

TEST_CASE("an overflow waits for the batch in progress, whose changes stay", "[store]") {
    StoreWorld world;
    GatedRuntime gated(world.runtime);
    SqliteStoreOptions options = world.options;
    options.max_queue = 2;
    const std::unique_ptr<Store> store = open_sqlite_store(gated, options).value();
    std::size_t rows_when_dropped = 0;
    bool was_dropped = false;
    const auto token = store->on_dropped([&] {
        was_dropped = true;
        rows_when_dropped = store->last_version();
    });
    std::vector<Task<Result<std::uint64_t>>> queued;
    queued.push_back(store->commit(put("in progress", "{}")));
    world.runtime.run_until_idle();

    for (int i = 0; i < 8; ++i) queued.push_back(store->commit(put(std::to_string(i), "{}")));
    world.runtime.run_until_idle();
    CHECK_FALSE(was_dropped);
    gated.open_gate();
    world.runtime.run_until_idle();

    CHECK(was_dropped);
    CHECK(rows_when_dropped == 1);
    CHECK(world.run(std::move(queued[0])).value() == 1);
    for (std::size_t i = 1; i < queued.size(); ++i) {
        CHECK(stable_code(world.run(std::move(queued[i])).error()) == "store.busy");
    }
    CHECK(world.run(store->commit(put("next", "{}"))).value() == 2);
    CHECK(world.run(store->load("thing")).value().size() == 2);
    world.run(store->close());
}

TEST_CASE("a second controller on the same directory is refused", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());

    const auto second = open_sqlite_store(world.runtime, world.options);

    REQUIRE(second.has_error());
    CHECK(stable_code(second.error()) == "store.locked");
    CHECK(second.error().detail.find(world.directory.string()) != std::string::npos);
}

TEST_CASE("a database of a later release is refused and left as it was", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    world.close();
    sql(world.options.path, "PRAGMA user_version = 999");

    const auto opened = world.open();

    REQUIRE(opened.has_error());
    CHECK(stable_code(opened.error()) == "store.newer");
    sql(world.options.path, "PRAGMA user_version = 3");
    CHECK(world.open());
}

TEST_CASE("a database from before the retention clock goes on, and ages from where it was", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    ChangeSet events;
    for (int i = 0; i < 10; ++i) {
        EventDraft event;
        event.kind = "thing.changed";
        events.events.push_back(std::move(event));
    }
    REQUIRE(world.run(world.store->commit(events)));
    world.close();
    sql(world.options.path,
        "DROP INDEX history_by_kept; CREATE INDEX history_by_time ON history (at_ms); ALTER TABLE events "
        "DROP "
        "COLUMN kept_ms; ALTER TABLE history DROP COLUMN kept_ms; ALTER TABLE state DROP COLUMN "
        "retention_ms; "
        "PRAGMA user_version = 2");

    REQUIRE(world.open());

    CHECK(world.run(world.store->recent(100, {})).value().size() == 10);
    world.runtime.advance(std::chrono::hours(24 * 31));
    while (world.store->last_event() < 1010) REQUIRE(world.run(world.store->commit(events)));
    CHECK(world.store->first_event() == 11);
}

TEST_CASE("a file that is no database is refused, not replaced", "[store]") {
    StoreWorld world;
    auto disk = make_posix_disk();
    const std::string text(4096, 'x');
    REQUIRE(write_durably(*disk, world.options.path, text));

    const auto opened = world.open();

    REQUIRE(opened.has_error());
    CHECK(stable_code(opened.error()) == "store.corrupt");
    CHECK(disk->read_all(world.options.path).value() == text);
}

TEST_CASE("after close, commits say so", "[store]") {
    StoreWorld world;
    REQUIRE(world.open());
    world.runtime.run_to_end(world.store->close());

    CHECK(stable_code(world.run(world.store->commit(put("a", "{}"))).error()) == "store.closed");
}
