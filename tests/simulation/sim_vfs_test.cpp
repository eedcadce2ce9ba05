// SPDX-License-Identifier: Apache-2.0
#include "sim_vfs.hpp"

#include <catch2/catch.hpp>
#include <sqlite3.h>

#include <memory>
#include <string>

using namespace icos;
using namespace icos::sim;

namespace {

struct CloseDatabase {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

Database open_database(const SimVfs& vfs) {
    sqlite3* db = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    REQUIRE(sqlite3_open_v2("data/icos.db", &db, flags, vfs.name().c_str()) == SQLITE_OK);
    return Database(db);
}

int run(sqlite3* db, const std::string& sql) {
    return sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
}

int count_rows(sqlite3* db) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &statement, nullptr) != SQLITE_OK) return -1;
    const int count = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;
    sqlite3_finalize(statement);
    return count;
}

std::unique_ptr<SimVfs> make_vfs(SimDisk& disk) {
    return std::make_unique<SimVfs>(
        disk,
        [] { return std::int64_t{1'790'000'000'000}; },
        [](std::string& bytes) { bytes.assign(bytes.size(), 'x'); }
    );
}

/// Commits 20 rows, loses power after each, and tells in how many cases a committed row was missing.
int lost_commits(const std::string& ignored) {
    auto ledger = std::make_shared<SyncLedger>();
    ledger->ignored = ignored;
    SimDisk disk("store", ledger);
    const auto vfs = make_vfs(disk);
    const Database db = open_database(*vfs);
    REQUIRE(run(db.get(), "PRAGMA journal_mode=WAL") == SQLITE_OK);
    REQUIRE(run(db.get(), "PRAGMA synchronous=FULL") == SQLITE_OK);
    REQUIRE(run(db.get(), "CREATE TABLE t(a TEXT)") == SQLITE_OK);
    Rng rng(1);
    int lost = 0;
    for (int i = 1; i <= 20; ++i) {
        REQUIRE(run(db.get(), "INSERT INTO t VALUES (hex(randomblob(400)))") == SQLITE_OK);
        const auto left = disk.after(Ending::power_loss, rng);
        const auto next_vfs = make_vfs(*left);
        const Database again = open_database(*next_vfs);
        if (count_rows(again.get()) != i) ++lost;
    }
    return lost;
}

}  // namespace

TEST_CASE("a committed transaction survives a power loss", "[simulation]") {
    CHECK(lost_commits("") == 0);
}

TEST_CASE("without the sync of the log commits are lost", "[simulation]") {
    CHECK(lost_commits("store.wal") > 0);
}

TEST_CASE("without the sync of the directory commits are lost", "[simulation]") {
    CHECK(lost_commits("store.directory") > 0);
}

TEST_CASE("a reader sees what a writer on the same disk committed", "[simulation]") {
    SimDisk disk("store", std::make_shared<SyncLedger>());
    const auto vfs = make_vfs(disk);
    const Database writer = open_database(*vfs);
    REQUIRE(run(writer.get(), "PRAGMA journal_mode=WAL") == SQLITE_OK);
    REQUIRE(run(writer.get(), "CREATE TABLE t(a)") == SQLITE_OK);
    const Database reader = open_database(*vfs);

    CHECK(count_rows(reader.get()) == 0);
    REQUIRE(run(writer.get(), "INSERT INTO t VALUES (1)") == SQLITE_OK);
    CHECK(count_rows(reader.get()) == 1);
}

TEST_CASE("a full disk is SQLITE_FULL and the database stays whole", "[simulation]") {
    SimDisk disk("store", std::make_shared<SyncLedger>());
    const auto vfs = make_vfs(disk);
    const Database db = open_database(*vfs);
    REQUIRE(run(db.get(), "PRAGMA journal_mode=WAL") == SQLITE_OK);
    REQUIRE(run(db.get(), "CREATE TABLE t(a)") == SQLITE_OK);

    disk.set_full(true);
    CHECK(run(db.get(), "INSERT INTO t VALUES (hex(randomblob(4000)))") == SQLITE_FULL);
    disk.set_full(false);
    CHECK(run(db.get(), "INSERT INTO t VALUES (1)") == SQLITE_OK);
    CHECK(count_rows(db.get()) == 1);
}
