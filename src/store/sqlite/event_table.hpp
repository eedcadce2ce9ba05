// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sqlite/connection.hpp"

#include <cstdint>
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
    };
    State state();
    void set_state(const State& state);
    /// Returns the bytes it takes, for State::bytes.
    std::uint64_t insert(const Event& event);
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
