// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "frame.hpp"
#include "icos/async/signal.hpp"
#include "icos/link/session.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace icos::link {

/// What waits to be sent on a channel: a message (cut into frames as credit allows) or the end of this
/// direction.
struct Outgoing {
    bool is_finish = false;
    std::string bytes;
    std::size_t offset = 0;
    bool done = false;
};

/// One channel's bookkeeping; the I/O is in session.cpp. A frame costs its whole length, header included, so
/// that empty messages are not free. The receiver grants again what was read, and what belongs to a message
/// that is still incomplete while nothing else waits: a message may be larger than the window, yet at most
/// one of them plus a window of bytes is ever held.
struct ChannelState {
    ChannelState(
        Runtime& runtime, std::uint32_t channel_id, std::string channel_kind, std::string channel_arguments
    )
        : id(channel_id),
          kind(std::move(channel_kind)),
          arguments(std::move(channel_arguments)),
          readable(runtime),
          writable(runtime) {}

    std::uint32_t id;
    std::string kind;
    std::string arguments;
    Signal readable;
    Signal writable;
    std::optional<Error> ended;  ///< reset by either side, or the session ended

    struct Received {
        std::string bytes;
        std::uint32_t cost = 0;
    };
    std::deque<Received> inbox;
    std::string partial;
    std::uint32_t partial_cost = 0;
    std::uint32_t allowance = kInitialCredit;  ///< what the other side may still send
    std::uint32_t grantable = 0;               ///< read here, not yet granted again
    bool peer_finished = false;

    std::deque<std::shared_ptr<Outgoing>> outbox;
    std::uint64_t credit = kInitialCredit;
    bool finish_queued = false;
    bool finish_sent = false;
    bool abandoned = false;  ///< nobody holds the channel any more

    /// Takes a data frame. link.protocol if it exceeds the granted credit, link.too_large past kMaxMessage.
    Result<void> receive(std::string_view payload, bool ends_message);
    /// The oldest message; counts it as read.
    std::string take();
    /// Bytes to grant now, or 0: grants are gathered so that they cost few frames.
    std::uint32_t take_grant();
    /// The next frame credit allows, if any. `completed` is set when it ends a message or the direction.
    std::optional<std::string> next_frame(std::shared_ptr<Outgoing>& completed);
    void end(Error why);
};

}  // namespace icos::link
