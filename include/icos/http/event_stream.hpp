// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/signal.hpp"
#include "icos/http/message.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace icos::http {

struct EventStreamSettings {
    std::size_t max_queued_bytes = 1U << 20U;  ///< not yet taken by the client
    Duration keep_alive{15'000};               ///< a comment is sent after this much silence
};

/// Server-sent events (HTML standard, 9.2) as a response body. One producer pushes, the server pulls; a
/// client too slow for the queue's bound has its stream ended and resumes by Last-Event-ID. Loop-confined.
/// Producers keep a weak_ptr: the server lets the stream go once the client went away. Must not outlive the
/// runtime.
class EventStream final : public BodyStream {
public:
    explicit EventStream(Runtime& runtime, EventStreamSettings settings = {});

    /// Queues one event. `event` and `id` may be empty; `data` may have several lines. False, and nothing
    /// queued, once the stream has ended; the event that does not fit ends it.
    bool push(std::string_view event, std::string_view id, std::string_view data);
    /// What is queued is still sent, then the body ends. Idempotent.
    void end();
    bool has_ended() const noexcept { return ended_; }
    Task<std::optional<std::string>> next() override;

    /// The answer that sends `stream`.
    static Response response(std::shared_ptr<EventStream> stream);

private:
    EventStreamSettings settings_;
    Signal changed_;
    std::string queued_;
    bool ended_ = false;
};

}  // namespace icos::http
