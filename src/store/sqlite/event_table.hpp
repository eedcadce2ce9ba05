// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sqlite/connection.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace icos::store {

/// SQL of the `events` and `state` tables. Synchronous, throws SqliteError.
class EventTable {
public:
    explicit EventTable(Connection& connection) : connection_(connection) {}

    struct State {
        std::uint64_t last_version = 0;
        std::uint64_t last_event = 0;
        std::uint64_t first_event = 1;   ///< from here on nothing is missing
        std::uint64_t bytes = 0;         ///< of all events that are kept
        std::int64_t history_from = -1;  ///< ms, from then on the history is whole; negative: not begun
        std::int64_t retention_ms = 0;   ///< the retention clock at the last write; 0: not begun
    };
    State state();
    void set_state(const State& state);
    /// Returns the bytes it takes, for State::bytes. `kept`: its time by the retention clock.
    std::uint64_t insert(const Event& event, WallTime kept);
    /// When the newest event, or the first from `seq` on, was recorded by the retention clock.
    std::optional<WallTime> newest_kept();
    std::optional<WallTime> kept_of(std::uint64_t seq);
    /// Oldest first, seq > after.
    std::vector<Event> after(std::uint64_t seq, std::size_t limit, const EventFilter& filter);
    /// The newest `limit` that match, oldest first.
    std::vector<Event> newest(std::size_t limit, const EventFilter& filter);
    /// Removes events older than `before`, and the oldest ones beyond `max_bytes`, at most about `limit` in
    /// one call, and moves `state.first_event`. The last event of a subject that still lives stays, whatever
    /// its age.
    void prune(WallTime before, std::uint64_t max_bytes, std::size_t limit, State& state);

private:
    Connection& connection_;
};

}  // namespace icos::store
