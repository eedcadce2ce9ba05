// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/store/seal.hpp"
#include "icos/store/store.hpp"
#include "sqlite/connection.hpp"

#include <vector>

/// Bodies of the kinds that `is_sealed_kind` names, on their way to the database and back. The context of a
/// body is "<kind>/<id>".
namespace icos::store {

/// On the control loop.
void seal_changes(Runtime& runtime, const Seal& seal, std::vector<Change>& changes);
/// Any thread. A body in clear stays as it is. seal.no_key, seal.other_key, seal.damaged.
Result<void> open_row(Row& row, const Seal* seal);

/// At start: refuses rows that are sealed with another key (or with one, when there is none), and seals what
/// an earlier release wrote in clear, so that the file holds nothing of it any more. Throws SqliteError.
Result<void> seal_rows(Runtime& runtime, Connection& writer, const Seal* seal);

}  // namespace icos::store
