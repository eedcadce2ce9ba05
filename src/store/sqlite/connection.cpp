// SPDX-License-Identifier: Apache-2.0
#include "sqlite/connection.hpp"

#include "icos/core/log.hpp"

#include <sqlite3.h>

#include <cerrno>

namespace icos::store {
namespace {

store_errc code_of(int result, sqlite3* db) {
    const int primary = result & 0xff;
    const int system = db == nullptr ? 0 : sqlite3_system_errno(db);
    if (primary == SQLITE_FULL || system == ENOSPC || system == EDQUOT) return store_errc::full;
    if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) return store_errc::locked;
    // What could not be read or written is treated as the disk's fault, not as lost data: it is tried again.
    if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY)
        return store_errc::io;
    return store_errc::corrupt;
}

void check(int result, sqlite3* db, std::string_view what) {
    if (result == SQLITE_OK) return;
    const std::string reason = db == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(db);
    throw SqliteError(code_of(result, db), std::string(what) + ": " + reason);
}

}  // namespace

Error to_error(const SqliteError& error) {
    Error result{error.code, error.what()};
    switch (error.code) {
        case store_errc::full:
            result.detail = "the controller's disk is full; nothing was changed";
            result.hint = "free space on the file system of the data directory; writing resumes by itself";
            break;
        case store_errc::io:
            result.hint = "look at the disk and the permissions of the data directory";
            break;
        case store_errc::corrupt:
            result.hint = "restore the data directory from a backup";
            break;
        default:
            break;
    }
    return result;
}

Statement::Statement(sqlite3* db, std::string_view sql) : db_(db) {
    check(
        sqlite3_prepare_v3(
            db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement_, nullptr
        ),
        db,
        sql
    );
}

Statement::~Statement() {
    sqlite3_finalize(statement_);
}

Statement& Statement::bind(int index, std::int64_t value) {
    check(sqlite3_bind_int64(statement_, index, value), db_, "bind");
    return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
    const char* bytes = value.data() == nullptr ? "" : value.data();  // a null pointer would bind NULL
    check(
        sqlite3_bind_text64(statement_, index, bytes, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8),
        db_,
        "bind"
    );
    return *this;
}

bool Statement::step() {
    const int result = sqlite3_step(statement_);
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) {
        sqlite3_reset(statement_);
        return false;
    }
    const SqliteError error(
        code_of(result, db_), std::string(sqlite3_sql(statement_)) + ": " + sqlite3_errmsg(db_)
    );
    sqlite3_reset(statement_);
    throw error;
}

std::string Statement::text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return bytes == nullptr ? std::string() : std::string(bytes, size);
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

void Statement::reset() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

Connection::Connection(const std::string& path, Mode mode, const std::string& vfs) {
    const int flags =
        (mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    const int opened = sqlite3_open_v2(path.c_str(), &db_, flags, vfs.empty() ? nullptr : vfs.c_str());
    try {
        check(opened, db_, path);
        sqlite3_extended_result_codes(db_, 1);
        sqlite3_busy_timeout(db_, 5000);
        if (!vfs.empty()) execute("PRAGMA locking_mode = EXCLUSIVE");
        if (mode == Mode::read_write) execute("PRAGMA journal_mode = WAL");
        execute("PRAGMA synchronous = FULL");
        execute("PRAGMA foreign_keys = ON");
        execute("PRAGMA cache_size = -2048");
    } catch (const SqliteError&) {
        sqlite3_close_v2(db_);
        throw;
    }
}

Connection::~Connection() {
    statements_.clear();
    sqlite3_close_v2(db_);
}

void Connection::execute(const std::string& sql) {
    check(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr), db_, sql);
}

std::int64_t Connection::integer(const std::string& sql) {
    Statement statement(db_, sql);
    return statement.step() ? statement.integer(0) : 0;
}

Statement& Connection::prepare(std::string_view sql) {
    auto found = statements_.find(sql);
    if (found == statements_.end()) {
        found = statements_.emplace(std::string(sql), std::make_unique<Statement>(db_, sql)).first;
    }
    found->second->reset();
    return *found->second;
}

bool Connection::in_transaction() const {
    return sqlite3_get_autocommit(db_) == 0;
}

Transaction::Transaction(Connection& connection) : connection_(connection) {
    connection_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
    // Some errors (a full disk) make SQLite roll back by itself.
    if (!connection_.in_transaction()) return;
    try {
        connection_.execute("ROLLBACK");
    } catch (const SqliteError& error) {
        Log("store").error("rollback failed", to_error(error));
    }
}

void Transaction::commit() {
    connection_.execute("COMMIT");
}

}  // namespace icos::store
