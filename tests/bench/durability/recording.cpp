// SPDX-License-Identifier: Apache-2.0
#include "recording.hpp"

#include <sqlite3.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace icos::bench {
namespace {

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

void check(int result, sqlite3* db, std::string_view what) {
    if (result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE) return;
    throw std::runtime_error(
        std::string(what) + ": " + (db == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(db))
    );
}

Database open(const std::string& path, int flags) {
    sqlite3* db = nullptr;
    const int result = sqlite3_open_v2(path.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    Database database(db, &sqlite3_close_v2);
    check(result, db, path);
    return database;
}

void execute(sqlite3* db, const std::string& sql) {
    check(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), db, sql);
}

Statement prepare(sqlite3* db, std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    check(sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement, nullptr), db, sql);
    return {statement, &sqlite3_finalize};
}

Value value(sqlite3_stmt* row, int column) {
    switch (sqlite3_column_type(row, column)) {
        case SQLITE_NULL:
            return {};
        case SQLITE_INTEGER:
            return {Value::Type::integer, sqlite3_column_int64(row, column), {}};
        default:
            return {
                Value::Type::text,
                0,
                std::string(
                    static_cast<const char*>(sqlite3_column_blob(row, column)),
                    static_cast<std::size_t>(sqlite3_column_bytes(row, column))
                )
            };
    }
}

std::vector<std::vector<Value>> rows(sqlite3* db, std::string_view sql) {
    const Statement statement = prepare(db, sql);
    std::vector<std::vector<Value>> all;
    int result = SQLITE_OK;
    while ((result = sqlite3_step(statement.get())) == SQLITE_ROW) {
        std::vector<Value>& row = all.emplace_back();
        for (int i = 0; i < sqlite3_column_count(statement.get()); ++i)
            row.push_back(value(statement.get(), i));
    }
    check(result, db, sql);
    return all;
}

/// A statement that inserts a row of so many columns.
struct Insert {
    std::string_view sql;
};
constexpr std::array<Insert, 3> kInserts{{
    {"INSERT INTO resources (kind, id, version, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (kind, id) DO "
     "UPDATE SET "
     "version = excluded.version, body = excluded.body"},
    {"INSERT OR REPLACE INTO history (kind, id, version, at_ms, body) VALUES (?1, ?2, ?3, ?4, ?5)"},
    {"INSERT INTO events (seq, version, at_ms, kind, layer, project, subject_kind, subject, message, app, "
     "node, cause, "
     "actor, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"},
}};

void bind(sqlite3_stmt* statement, int index, const Value& value) {
    switch (value.type) {
        case Value::Type::null:
            sqlite3_bind_null(statement, index);
            break;
        case Value::Type::integer:
            sqlite3_bind_int64(statement, index, value.number);
            break;
        case Value::Type::text:
            sqlite3_bind_text64(
                statement, index, value.text.data(), value.text.size(), SQLITE_STATIC, SQLITE_UTF8
            );
            break;
    }
}

void run(sqlite3* db, sqlite3_stmt* statement) {
    const int result = sqlite3_step(statement);
    check(result, db, "insert");
    sqlite3_reset(statement);
}

}  // namespace

Recording read_recording(const std::string& database) {
    const Database db = open(database, SQLITE_OPEN_READONLY);
    Recording recording;
    for (const auto& row :
         rows(db.get(), "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"))
        recording.schema.push_back(row[0].text);

    // What each version wrote, and when.
    std::map<std::int64_t, std::vector<Write>> versions;
    std::map<std::int64_t, std::int64_t> times;
    for (auto& row : rows(db.get(), "SELECT kind, id, version, at_ms, body FROM history ORDER BY version")) {
        const std::int64_t version = row[2].number;
        times[version] = row[3].number;
        versions[version].push_back({Write::Table::resources, {row[0], row[1], row[2], row[4]}});
        versions[version].push_back({Write::Table::history, std::move(row)});
    }
    for (auto& row : rows(
             db.get(),
             "SELECT kind, id, version, body FROM resources WHERE (kind, id, version) NOT IN (SELECT kind, "
             "id, version FROM "
             "history) ORDER BY version"
         )) {
        versions[row[2].number].push_back({Write::Table::resources, std::move(row)});
    }
    std::map<std::int64_t, std::int64_t> last_events;
    for (auto& row : rows(
             db.get(),
             "SELECT seq, version, at_ms, kind, layer, project, subject_kind, subject, message, app, node, "
             "cause, actor, data "
             "FROM events ORDER BY seq"
         )) {
        const std::int64_t version = row[1].number;
        times[version] = row[2].number;
        last_events[version] = row[0].number;
        if (row[3].text == "app.accepted") ++recording.applies;
        versions[version].push_back({Write::Table::events, std::move(row)});
    }

    std::int64_t time = -1;
    for (auto& [version, writes] : versions) {
        const auto known = times.find(version);
        if (recording.groups.empty() || (known != times.end() && known->second != time))
            recording.groups.emplace_back();
        if (known != times.end()) time = known->second;
        Group& group = recording.groups.back();
        ++group.change_sets;
        group.last_version = version;
        group.last_event = last_events.contains(version) ? last_events[version] : group.last_event;
        for (Write& write : writes) group.writes.push_back(std::move(write));
    }
    return recording;
}

double replay(const Recording& recording, const std::string& directory) {
    const std::string path = directory + "/peer.db";
    for (const char* suffix : {"", "-wal", "-shm"}) std::remove((path + suffix).c_str());
    const Database db = open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    for (const char* pragma :
         {"journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -2048"})
        execute(db.get(), std::string("PRAGMA ") + pragma);
    for (const std::string& sql : recording.schema) execute(db.get(), sql);
    execute(
        db.get(),
        "INSERT INTO state (only_row, last_version, last_event, first_event, event_bytes) VALUES (1, 0, 0, "
        "1, 0)"
    );
    std::vector<Statement> inserts;
    for (const Insert& insert : kInserts) inserts.push_back(prepare(db.get(), insert.sql));
    const Statement state = prepare(db.get(), "UPDATE state SET last_version = ?1, last_event = ?2");

    const auto begin = std::chrono::steady_clock::now();
    for (const Group& group : recording.groups) {
        execute(db.get(), "BEGIN IMMEDIATE");
        for (const Write& write : group.writes) {
            sqlite3_stmt* insert = inserts[static_cast<std::size_t>(write.table)].get();
            for (std::size_t i = 0; i < write.values.size(); ++i)
                bind(insert, static_cast<int>(i) + 1, write.values[i]);
            run(db.get(), insert);
        }
        sqlite3_bind_int64(state.get(), 1, group.last_version);
        sqlite3_bind_int64(state.get(), 2, group.last_event);
        run(db.get(), state.get());
        execute(db.get(), "COMMIT");
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace icos::bench
