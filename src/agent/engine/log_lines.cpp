// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/log_lines.hpp"

#include <charconv>
#include <chrono>

namespace icos::agent {
namespace {

constexpr std::size_t kMaxLine = std::size_t{64} << 10U;
constexpr std::size_t kMaxTimestamp = 40;

/// Digits [at, at + size) as a number.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t size) {
    if (at + size > text.size()) return std::nullopt;
    int value = 0;
    const char* begin = text.data() + at;
    for (const char* c = begin; c != begin + size; ++c) {
        if (*c < '0' || *c > '9') return std::nullopt;
        value = value * 10 + (*c - '0');
    }
    return value;
}

}  // namespace

std::optional<std::int64_t> parse_engine_time(std::string_view text) {
    using namespace std::chrono;
    const auto y = digits(text, 0, 4);
    const auto mo = digits(text, 5, 2);
    const auto d = digits(text, 8, 2);
    const auto h = digits(text, 11, 2);
    const auto mi = digits(text, 14, 2);
    const auto s = digits(text, 17, 2);
    if (!y || !mo || !d || !h || !mi || !s) return std::nullopt;
    if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') || text[13] != ':' ||
        text[16] != ':') {
        return std::nullopt;
    }
    std::size_t at = 19;
    int milliseconds_part = 0;
    if (at < text.size() && text[at] == '.') {
        int scale = 100;
        for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
            milliseconds_part += (text[at] - '0') * scale;
            scale /= 10;
        }
    }
    minutes offset{0};
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
        const auto oh = digits(text, at + 1, 2);
        const auto om = digits(text, at + 4, 2);
        if (!oh || !om || text[at + 3] != ':' || at + 6 != text.size()) return std::nullopt;
        offset = hours(*oh) + minutes(*om);
        if (text[at] == '-') offset = -offset;
    } else if (at + 1 != text.size() || text[at] != 'Z') {
        return std::nullopt;
    }
    const year_month_day date{year(*y), month(static_cast<unsigned>(*mo)), day(static_cast<unsigned>(*d))};
    if (!date.ok() || *h > 23 || *mi > 59 || *s > 60) return std::nullopt;
    if (*y <= 1) return 0;
    const auto time =
        sys_days(date) + hours(*h) + minutes(*mi) + seconds(*s) + milliseconds(milliseconds_part) - offset;
    return duration_cast<milliseconds>(time.time_since_epoch()).count();
}

Result<void> LogLines::feed(std::string_view bytes) {
    if (tty_) {
        append(false, bytes);
        return {};
    }
    demultiplexer_.feed(bytes);
    while (true) {
        Result<std::optional<LogDemultiplexer::Piece>> piece = demultiplexer_.next();
        if (piece.has_error()) return piece.error();
        if (!piece->has_value()) return {};
        append((*piece)->is_stderr, (*piece)->bytes);
    }
}

void LogLines::append(bool is_stderr, std::string_view bytes) {
    Pending& pending = pending_[is_stderr ? 1 : 0];
    while (!bytes.empty()) {
        const auto newline = bytes.find('\n');
        const std::size_t room = kMaxLine + kMaxTimestamp - pending.text.size();
        const std::size_t size = std::min({newline, room, bytes.size()});
        pending.text += bytes.substr(0, size);
        bytes.remove_prefix(size);
        if (size == newline) {
            bytes.remove_prefix(1);
            emit(is_stderr, true);
        } else if (pending.text.size() == kMaxLine + kMaxTimestamp) {
            emit(is_stderr, false);
        }
    }
}

void LogLines::emit(bool is_stderr, bool is_whole) {
    Pending& pending = pending_[is_stderr ? 1 : 0];
    LogLine line;
    line.is_stderr = is_stderr;
    std::string_view text = pending.text;
    if (pending.timestamp.empty()) {
        const std::string_view first = text.substr(0, text.find(' '));
        if (const auto at = first.size() < kMaxTimestamp ? parse_engine_time(first) : std::nullopt) {
            pending.timestamp = first;
            pending.at_ms = *at;
            text.remove_prefix(std::min(text.size(), first.size() + 1));
        }
    }
    if (tty_ && is_whole && text.ends_with('\r')) text.remove_suffix(1);
    line.timestamp = pending.timestamp;
    line.at_ms = pending.at_ms;
    line.text = text;
    pending.text.clear();
    if (is_whole) pending.timestamp.clear();
    ready_.push_back(std::move(line));
}

void LogLines::finish() {
    for (const bool is_stderr : {false, true}) {
        if (!pending_[is_stderr ? 1 : 0].text.empty()) emit(is_stderr, true);
    }
}

std::optional<LogLine> LogLines::next() {
    if (ready_.empty()) return std::nullopt;
    LogLine line = std::move(ready_.front());
    ready_.pop_front();
    return line;
}

}  // namespace icos::agent
