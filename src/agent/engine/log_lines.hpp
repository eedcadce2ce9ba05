// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "agent/engine/log_demultiplexer.hpp"
#include "icos/agent/engine.hpp"

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace icos::agent {

/// Milliseconds since the epoch of an RFC 3339 time with up to nanoseconds and "Z" or an offset. nullopt for
/// anything else; 0 for the engine's zero time (year 1).
std::optional<std::int64_t> parse_engine_time(std::string_view text);

/// Log lines out of the bytes of GET /containers/{id}/logs?timestamps=1. Sans-io. A line that is longer than
/// 64 KiB comes in parts of that size, so that a program without newlines cannot fill the memory.
class LogLines {
public:
    /// With a terminal the stream is raw, otherwise multiplexed.
    explicit LogLines(bool tty) : tty_(tty) {}

    Result<void> feed(std::string_view bytes);
    /// The stream has ended: what is left is a line too.
    void finish();
    std::optional<LogLine> next();

private:
    struct Pending {
        std::string text;
        std::string timestamp;  ///< of the line whose first parts were already handed out
        std::int64_t at_ms = 0;
    };
    void append(bool is_stderr, std::string_view bytes);
    void emit(bool is_stderr, bool is_whole);

    bool tty_;
    LogDemultiplexer demultiplexer_;
    std::array<Pending, 2> pending_;
    std::deque<LogLine> ready_;
};

}  // namespace icos::agent
