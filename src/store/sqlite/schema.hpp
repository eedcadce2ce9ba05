// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sqlite/connection.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace icos::store {

struct Migration {
    std::string_view name;
    std::string_view sql;
};
/// In order; the n-th makes `PRAGMA user_version` n. Released ones are never edited.
const std::vector<Migration>& migrations();

/// Brings the database to the newest version, each step in a transaction of its own. store.newer if a later
/// release wrote it; store.corrupt if it is not ours.
Result<void> migrate(Connection& connection, const std::string& path);

}  // namespace icos::store
