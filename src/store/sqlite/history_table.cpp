// SPDX-License-Identifier: Apache-2.0
#include "sqlite/history_table.hpp"

namespace icos::store {

void HistoryTable::begin() {
    Statement& all = connection_.prepare("SELECT kind, id, version, body FROM resources");
    std::vector<Row> rows;
    while (all.step()) {
        if (!has_history(all.text(0))) continue;
        rows.push_back({all.text(0), all.text(1), all.text(3), static_cast<std::uint64_t>(all.integer(2))});
    }
    // When they were written is not known: before everything that can be asked for.
    for (Row& row : rows)
        insert({row.kind, row.id, std::move(row.body)}, row.version, from_ms(0), from_ms(0));
}

void HistoryTable::insert(const Change& change, std::uint64_t version, WallTime at, WallTime kept) {
    // The last of several changes of one resource in a commit is its image.
    Statement& insert = change.body ? connection_.prepare(
                                          "INSERT OR REPLACE INTO history (kind, id, version, at_ms, body, "
                                          "kept_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                                      )
                                    : connection_.prepare(
                                          "INSERT OR REPLACE INTO history (kind, id, version, at_ms, body, "
                                          "kept_ms) VALUES (?1, ?2, ?3, ?4, NULL, ?6)"
                                      );
    insert.bind(1, change.kind).bind(2, change.id).bind(3, static_cast<std::int64_t>(version));
    insert.bind(4, to_ms(at)).bind(6, to_ms(kept));
    if (change.body) insert.bind(5, *change.body);
    insert.run();
}

std::vector<Row> HistoryTable::at(const std::string& kind, WallTime time) {
    // By version, not by time: after a step of the clock the later commit is still the one that counts.
    Statement& query = connection_.prepare(
        "SELECT id, body, version FROM history AS image WHERE kind = ?1 AND body IS NOT NULL AND version = "
        "(SELECT max(version) FROM history AS other WHERE other.kind = image.kind AND other.id = image.id "
        "AND other.at_ms <= ?2) ORDER BY id"
    );
    query.bind(1, kind).bind(2, to_ms(time));
    std::vector<Row> rows;
    while (query.step())
        rows.push_back({kind, query.text(0), query.text(1), static_cast<std::uint64_t>(query.integer(2))});
    return rows;
}

void HistoryTable::prune(WallTime before, std::size_t limit) {
    for (const std::string_view sql :
         {"DELETE FROM history WHERE (kind, id, version) IN (SELECT kind, id, version FROM history AS old "
          "WHERE kept_ms < ?1 AND EXISTS (SELECT 1 FROM history AS later WHERE later.kind = old.kind AND "
          "later.id = old.id AND later.version > old.version AND later.kept_ms <= ?1) LIMIT ?2)",
          // What was removed needs no trace once nothing from before is left that it hides.
          "DELETE FROM history WHERE (kind, id, version) IN (SELECT kind, id, version FROM history AS old "
          "WHERE kept_ms < ?1 AND body IS NULL AND NOT EXISTS (SELECT 1 FROM history AS earlier WHERE "
          "earlier.kind = old.kind AND earlier.id = old.id AND earlier.version < old.version) LIMIT ?2)"}) {
        Statement& remove = connection_.prepare(sql);
        remove.bind(1, to_ms(before)).bind(2, static_cast<std::int64_t>(limit)).run();
    }
}

}  // namespace icos::store
