// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/store/store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace icos::store {

/// SQLite failed. Converted to an Error where the store's work is done; never leaves src/store.
class SqliteError : public std::runtime_error {
public:
    SqliteError(store_errc code, const std::string& what) : std::runtime_error(what), code(code) {}
    store_errc code;
};
Error to_error(const SqliteError& error);

/// A prepared statement, reset when a new use begins. Bind indices count from 1, columns from 0.
class Statement {
public:
    Statement(sqlite3* db, std::string_view sql);
    ~Statement();
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    Statement& bind(int index, std::int64_t value);
    Statement& bind(int index, std::string_view value);
    bool step();  ///< true while there is a row
    void run() {
        while (step()) {
        }
    }
    std::string text(int column) const;
    std::int64_t integer(int column) const;
    void reset();

private:
    sqlite3* db_;
    sqlite3_stmt* statement_ = nullptr;
};

/// One SQLite connection with its prepared statements. One thread at a time.
class Connection {
public:
    enum class Mode { read_write, read_only };
    /// Opens with WAL and full durability. `vfs` empty = the default; another one gets exclusive locking,
    /// which needs no shared memory.
    Connection(const std::string& path, Mode mode, const std::string& vfs);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void execute(const std::string& sql);
    std::int64_t integer(const std::string& sql);
    /// Prepared once per text.
    Statement& prepare(std::string_view sql);
    bool in_transaction() const;

private:
    sqlite3* db_ = nullptr;
    std::map<std::string, std::unique_ptr<Statement>, std::less<>> statements_;
};

/// Rolls back unless committed.
class Transaction {
public:
    explicit Transaction(Connection& connection);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

private:
    Connection& connection_;
};

}  // namespace icos::store
