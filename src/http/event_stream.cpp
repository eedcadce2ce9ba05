// SPDX-License-Identifier: Apache-2.0
#include "icos/http/event_stream.hpp"

#include <algorithm>

namespace icos::http {
namespace {

/// A field value is one line: line breaks would start another field.
void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    const std::size_t from = out.size();
    out += value;
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(from),
        out.end(),
        [](char c) { return c == '\n' || c == '\r' || c == '\0'; },
        ' '
    );
    out += '\n';
}

}  // namespace

EventStream::EventStream(Runtime& runtime, EventStreamSettings settings)
    : settings_(settings), changed_(runtime) {}

bool EventStream::push(std::string_view event, std::string_view id, std::string_view data) {
    if (ended_) return false;
    std::string text;
    if (!id.empty()) append_field(text, "id", id);
    if (!event.empty()) append_field(text, "event", event);
    while (true) {
        const std::size_t line = std::min(data.find('\n'), data.size());
        append_field(text, "data", data.substr(0, line));
        if (line == data.size()) break;
        data.remove_prefix(line + 1);
    }
    text += '\n';
    if (queued_.size() + text.size() > settings_.max_queued_bytes) {
        end();
        return false;
    }
    queued_ += text;
    changed_.notify();
    return true;
}

void EventStream::end() {
    ended_ = true;
    changed_.notify();
}

Task<std::optional<std::string>> EventStream::next() {
    while (queued_.empty()) {
        if (ended_) co_return std::nullopt;
        const bool notified = co_await changed_.wait_for(settings_.keep_alive);
        if (!notified && queued_.empty() && !ended_) co_return ": keep-alive\n\n";
    }
    std::string piece;
    piece.swap(queued_);
    co_return piece;
}

Response EventStream::response(std::shared_ptr<EventStream> stream) {
    Response response;
    response.content_type = "text/event-stream";
    response.headers["Cache-Control"] = "no-store";
    response.stream = std::move(stream);
    return response;
}

}  // namespace icos::http
