// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sqlite/connection.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace icos::store {

/// SQL of the `history` table. Synchronous, throws SqliteError.
class HistoryTable {
public:
    explicit HistoryTable(Connection& connection) : connection_(connection) {}

    /// Takes over what the database held before it had a history.
    void begin();
    /// `kept`: the time by the retention clock.
    void insert(const Change& change, std::uint64_t version, WallTime at, WallTime kept);
    std::vector<Row> at(const std::string& kind, WallTime time);
    /// Removes at most about `limit` images that nobody can ask for any more when questions about times
    /// before `before` (by the retention clock) are refused.
    void prune(WallTime before, std::size_t limit);

private:
    Connection& connection_;
};

}  // namespace icos::store
