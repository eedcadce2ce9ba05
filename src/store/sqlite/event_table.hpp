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
        std::uint64_t first_event = 1;
    };
    State state();
    void set_state(const State& state);
    void insert(const Event& event);
    /// Oldest first, seq > after.
    std::vector<Event> after(std::uint64_t seq, std::size_t limit, const EventFilter& filter);
    /// The newest `limit` that match, oldest first.
    std::vector<Event> newest(std::size_t limit, const EventFilter& filter);
    std::uint64_t bytes();
    /// Removes events older than `before`, and the oldest ones beyond `max_bytes`; at most `limit` in one
    /// call. Returns the first seq that is kept.
    std::uint64_t prune(WallTime before, std::uint64_t max_bytes, std::size_t limit, const State& state);

private:
    Connection& connection_;
};

}  // namespace icos::store
