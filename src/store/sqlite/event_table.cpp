// SPDX-License-Identifier: Apache-2.0
#include "sqlite/event_table.hpp"

#include <algorithm>

namespace icos::store {
namespace {

// 0 seq, 1 version, 2 at_ms, 3 kind, 4 layer, 5 project, 6 subject_kind, 7 subject, 8 message, 9 app, 10
// node, 11 cause, 12 actor, 13 data
constexpr std::string_view kColumns =
    "seq, version, at_ms, kind, layer, project, subject_kind, subject, message, app, node, cause, actor, "
    "data";
// ?1 project, ?2 app, ?3 node, ?4 exact kind, ?5 kind prefix, ?6 layer, ?7 since ms, ?10 actor
constexpr std::string_view kMatches =
    "(?1 = '' OR project = ?1) AND (?2 = '' OR app = ?2) AND (?3 = '' OR node = ?3) AND (?4 = '' OR kind = "
    "?4) AND "
    "(?5 = '' OR substr(kind, 1, length(?5)) = ?5) AND (?6 = '' OR layer = ?6) AND at_ms >= ?7 "
    "AND (?10 = '' OR actor = ?10)";

// What an event takes beside its texts of any length, indices included: an estimate, the same when it comes
// and goes.
constexpr std::uint64_t kRowBytes = 200;

// Events of a past that nobody asks for: not the last of their subject, or the subject is gone. ?1 first seq
// to keep
constexpr std::string_view kForgettable =
    "seq < ?1 AND (subject = '' OR kind LIKE '%.deleted' OR kind LIKE '%.removed' OR kind LIKE '%.forgotten' "
    "OR kind LIKE '%.revoked' OR EXISTS (SELECT 1 FROM events AS "
    "later WHERE later.subject_kind = events.subject_kind AND later.project = events.project AND "
    "later.subject = "
    "events.subject AND later.seq > events.seq))";

Event read(const Statement& row) {
    Event event;
    event.seq = static_cast<std::uint64_t>(row.integer(0));
    event.version = static_cast<std::uint64_t>(row.integer(1));
    event.at = from_ms(row.integer(2));
    event.kind = row.text(3);
    const std::string layer = row.text(4);
    event.layer = layer == "security"       ? Layer::security
                  : layer == "intelligence" ? Layer::intelligence
                                            : Layer::runtime;
    event.project = row.text(5);
    event.subject_kind = row.text(6);
    event.subject = row.text(7);
    event.message = row.text(8);
    event.app = row.text(9);
    event.node = row.text(10);
    event.cause = static_cast<std::uint64_t>(row.integer(11));
    event.actor = row.text(12);
    event.data = row.text(13);
    return event;
}

void bind_filter(Statement& query, const EventFilter& filter) {
    const bool prefix = filter.kind.ends_with('.');
    query.bind(1, filter.project).bind(2, filter.app).bind(3, filter.node);
    query.bind(4, prefix ? std::string_view() : std::string_view(filter.kind));
    query.bind(5, prefix ? std::string_view(filter.kind) : std::string_view());
    query.bind(6, filter.layer ? to_string(*filter.layer) : std::string_view());
    query.bind(10, filter.actor);
    query.bind(7, filter.since ? to_ms(*filter.since) : 0);
}

std::vector<Event> read_all(Statement& query) {
    std::vector<Event> events;
    while (query.step()) events.push_back(read(query));
    return events;
}

}  // namespace

EventTable::State EventTable::state() {
    Statement& query = connection_.prepare(
        "SELECT last_version, last_event, first_event, event_bytes, history_from_ms, retention_ms FROM state"
    );
    State state;
    if (query.step()) {
        state.last_version = static_cast<std::uint64_t>(query.integer(0));
        state.last_event = static_cast<std::uint64_t>(query.integer(1));
        state.first_event = static_cast<std::uint64_t>(query.integer(2));
        state.bytes = static_cast<std::uint64_t>(query.integer(3));
        state.history_from = query.integer(4);
        state.retention_ms = query.integer(5);
    }
    query.reset();
    return state;
}

void EventTable::set_state(const State& state) {
    connection_
        .prepare(
            "UPDATE state SET last_version = ?1, last_event = ?2, first_event = ?3, event_bytes = ?4, "
            "history_from_ms = ?5, retention_ms = ?6"
        )
        .bind(1, static_cast<std::int64_t>(state.last_version))
        .bind(2, static_cast<std::int64_t>(state.last_event))
        .bind(3, static_cast<std::int64_t>(state.first_event))
        .bind(4, static_cast<std::int64_t>(state.bytes))
        .bind(5, state.history_from)
        .bind(6, state.retention_ms)
        .run();
}

std::uint64_t EventTable::insert(const Event& event, WallTime kept) {
    Statement& insert = connection_.prepare(
        "INSERT INTO events (seq, version, at_ms, kind, layer, project, subject_kind, subject, message, app, "
        "node, cause, actor, "
        "data, kept_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    );
    insert.bind(1, static_cast<std::int64_t>(event.seq)).bind(2, static_cast<std::int64_t>(event.version));
    insert.bind(3, to_ms(event.at))
        .bind(4, event.kind)
        .bind(5, to_string(event.layer))
        .bind(6, event.project);
    insert.bind(7, event.subject_kind).bind(8, event.subject).bind(9, event.message).bind(10, event.app);
    insert.bind(11, event.node).bind(12, static_cast<std::int64_t>(event.cause)).bind(13, event.actor);
    insert.bind(14, event.data).bind(15, to_ms(kept)).run();
    return event.data.size() + event.message.size() + kRowBytes;
}

std::optional<WallTime> EventTable::newest_kept() {
    Statement& query = connection_.prepare("SELECT kept_ms FROM events ORDER BY seq DESC LIMIT 1");
    std::optional<WallTime> found;
    if (query.step()) found = from_ms(query.integer(0));
    query.reset();
    return found;
}

std::optional<WallTime> EventTable::kept_of(std::uint64_t seq) {
    Statement& query = connection_.prepare("SELECT kept_ms FROM events WHERE seq >= ?1 ORDER BY seq LIMIT 1");
    query.bind(1, static_cast<std::int64_t>(seq));
    std::optional<WallTime> found;
    if (query.step()) found = from_ms(query.integer(0));
    query.reset();
    return found;
}

std::vector<Event> EventTable::after(std::uint64_t seq, std::size_t limit, const EventFilter& filter) {
    static const std::string kSql = "SELECT " + std::string(kColumns) + " FROM events WHERE " +
                                    std::string(kMatches) + " AND seq > ?8 ORDER BY seq LIMIT ?9";
    Statement& query = connection_.prepare(kSql);
    bind_filter(query, filter);
    query.bind(8, static_cast<std::int64_t>(seq)).bind(9, static_cast<std::int64_t>(limit));
    return read_all(query);
}

std::vector<Event> EventTable::newest(std::size_t limit, const EventFilter& filter) {
    static const std::string kSql = "SELECT " + std::string(kColumns) + " FROM events WHERE " +
                                    std::string(kMatches) + " ORDER BY seq DESC LIMIT ?8";
    Statement& query = connection_.prepare(kSql);
    bind_filter(query, filter);
    query.bind(8, static_cast<std::int64_t>(limit));
    std::vector<Event> events = read_all(query);
    std::reverse(events.begin(), events.end());
    return events;
}

void EventTable::prune(WallTime before, std::uint64_t max_bytes, std::size_t limit, State& state) {
    std::uint64_t keep_from = state.first_event;
    Statement& by_age = connection_.prepare(
        "SELECT coalesce(max(seq), 0) FROM (SELECT seq, kept_ms FROM events WHERE seq >= ?2 ORDER BY seq "
        "LIMIT "
        "?3) "
        "WHERE kept_ms < ?1"
    );
    by_age.bind(1, to_ms(before));
    by_age.bind(2, static_cast<std::int64_t>(keep_from)).bind(3, static_cast<std::int64_t>(limit));
    if (by_age.step()) keep_from = std::max(keep_from, static_cast<std::uint64_t>(by_age.integer(0)) + 1);
    by_age.reset();
    if (state.bytes > max_bytes) {
        // Events are alike in size, so dropping a share of them drops that share of the bytes.
        const std::uint64_t count = state.last_event - state.first_event + 1;
        const std::uint64_t surplus = count * (state.bytes - max_bytes) / state.bytes + 1;
        keep_from = std::max(keep_from, state.first_event + std::min<std::uint64_t>(surplus, limit));
    }
    keep_from = std::min(keep_from, state.last_event + 1);
    if (keep_from == state.first_event) return;

    const auto first = static_cast<std::int64_t>(keep_from);
    static const std::string kSum =
        "SELECT coalesce(sum(length(CAST(data AS BLOB)) + length(CAST(message AS BLOB)) + " +
        std::to_string(kRowBytes) + "), 0) FROM events WHERE " + std::string(kForgettable);
    Statement& sum = connection_.prepare(kSum).bind(1, first);
    if (sum.step()) state.bytes -= std::min(state.bytes, static_cast<std::uint64_t>(sum.integer(0)));
    sum.reset();
    static const std::string kDelete = "DELETE FROM events WHERE " + std::string(kForgettable);
    connection_.prepare(kDelete).bind(1, first).run();
    state.first_event = keep_from;
}

}  // namespace icos::store
