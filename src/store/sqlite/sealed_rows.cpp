// SPDX-License-Identifier: Apache-2.0
#include "sqlite/sealed_rows.hpp"

#include "icos/core/log.hpp"

#include <filesystem>

namespace icos::store {
namespace {

const Log kLog("store");

/// "kind IN ('a', 'b')"
std::string of_sealed_kinds() {
    std::string list;
    for (const std::string_view kind : kSealedKinds)
        list += (list.empty() ? "'" : ", '") + std::string(kind) + "'";
    return "kind IN (" + list + ")";
}

std::string context_of(std::string_view kind, std::string_view id) {
    return std::string(kind) + "/" + std::string(id);
}

Error no_key() {
    return Error{
        seal_errc::no_key,
        "the database holds sealed rows, and there is no key to open them with",
        "restore seal.key of the data directory from a backup, or give it as the systemd credential "
        "icos-seal-key"
    };
}

std::vector<std::string> keys_in_use(Connection& connection) {
    std::vector<std::string> heads;
    Statement& query = connection.prepare(
        "SELECT DISTINCT substr(body, 1, 64) FROM resources WHERE " + of_sealed_kinds() +
        " AND substr(body, 1, 7) = 'sealed:'"
    );
    while (query.step()) {
        const std::string head = query.text(0);
        std::string key(key_id_of(head));
        if (std::find(heads.begin(), heads.end(), key) == heads.end()) heads.push_back(std::move(key));
    }
    return heads;
}

/// The rows in clear, sealed. False when there is none.
bool seal_clear_rows(Runtime& runtime, Connection& writer, const Seal& seal) {
    Transaction transaction(writer);
    std::vector<Row> rows;
    Statement& query = writer.prepare(
        "SELECT kind, id, body FROM resources WHERE " + of_sealed_kinds() +
        " AND substr(body, 1, 7) <> 'sealed:'"
    );
    while (query.step()) rows.push_back({query.text(0), query.text(1), query.text(2), 0});
    if (rows.empty()) return false;
    for (const Row& row : rows) {
        const std::string sealed = seal.close(runtime, row.body, context_of(row.kind, row.id));
        writer.prepare("UPDATE resources SET body = ?3 WHERE kind = ?1 AND id = ?2")
            .bind(1, row.kind)
            .bind(2, row.id)
            .bind(3, to_sealed_text(seal, sealed))
            .run();
    }
    transaction.commit();
    kLog.info("sealed what an earlier release stored in clear", {{"rows", rows.size()}});
    return true;
}

}  // namespace

void seal_changes(Runtime& runtime, const Seal& seal, std::vector<Change>& changes) {
    for (Change& change : changes) {
        if (!change.body || !is_sealed_kind(change.kind)) continue;
        const std::string sealed = seal.close(runtime, *change.body, context_of(change.kind, change.id));
        change.body = to_sealed_text(seal, sealed);
    }
}

Result<void> open_row(Row& row, const Seal* seal) {
    if (!is_sealed_kind(row.kind) || !is_sealed_text(row.body)) return {};
    if (seal == nullptr) return no_key();
    const Result<std::string> sealed = from_sealed_text(row.body);
    if (sealed.has_error()) return sealed.error();
    Result<std::string> opened = seal->open(*sealed, context_of(row.kind, row.id));
    if (opened.has_error()) return opened.error();
    row.body = std::move(*opened);
    return {};
}

Result<void> seal_rows(Runtime& runtime, Connection& writer, const Seal* seal) {
    for (const std::string& key : keys_in_use(writer)) {
        if (seal == nullptr) return no_key();
        if (key == seal->key_id()) continue;
        return Error{
            seal_errc::other_key,
            "the database holds rows that are sealed with key " + key + ", and the key here is " +
                seal->key_id(),
            "put the key back that sealed them (seal.key of the data directory, or the systemd credential "
            "icos-seal-key)"
        };
    }
    if (seal == nullptr) return {};
    try {
        if (!seal_clear_rows(runtime, writer, *seal)) return {};
        // What was overwritten stays readable in free pages and in the log until both are made anew.
        writer.execute("VACUUM");
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (const SqliteError& error) {
        if (error.code != store_errc::full) throw;
        // Rows in clear are read as well; the next start tries again.
        kLog.warning("rows in clear could not be sealed for want of space", to_error(error));
    }
    return {};
}

}  // namespace icos::store

namespace icos {

Result<bool> holds_sealed_rows(const std::string& path) {
    if (!std::filesystem::exists(path)) return false;
    try {
        store::Connection connection(path, store::Connection::Mode::read_write, {});
        if (connection.integer("SELECT count(*) FROM sqlite_master WHERE name = 'resources'") == 0)
            return false;
        return connection.integer(
                   "SELECT count(*) FROM resources WHERE " + store::of_sealed_kinds() +
                   " AND substr(body, 1, 7) = 'sealed:'"
               ) > 0;
    } catch (const store::SqliteError& error) {
        return store::to_error(error);
    }
}

}  // namespace icos
