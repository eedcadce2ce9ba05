// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/log_demultiplexer.hpp"

#include "icos/agent/engine.hpp"

#include <algorithm>

namespace icos::agent {
namespace {

constexpr std::size_t kHeader = 8;
constexpr unsigned char kStderr = 2;
constexpr unsigned char kSystemError = 3;  // the engine's own words about the stream

}  // namespace

void LogDemultiplexer::feed(std::string_view bytes) {
    if (position_ > 0) {
        buffer_.erase(0, position_);
        position_ = 0;
    }
    buffer_ += bytes;
}

Result<std::optional<LogDemultiplexer::Piece>> LogDemultiplexer::next() {
    while (!broken_) {
        const std::size_t available = buffer_.size() - position_;
        if (left_ > 0) {
            if (available == 0) return std::optional<Piece>();
            const auto size = std::min<std::size_t>(left_, available);
            Piece piece{is_stderr_, buffer_.substr(position_, size), size == left_};
            position_ += size;
            left_ -= static_cast<std::uint32_t>(size);
            return std::optional<Piece>(std::move(piece));
        }
        if (available < kHeader) return std::optional<Piece>();
        const auto byte = [this](std::size_t i) {
            return static_cast<unsigned char>(buffer_[position_ + i]);
        };
        if (byte(0) > kSystemError || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) {
            broken_ = true;
            break;
        }
        is_stderr_ = byte(0) >= kStderr;
        left_ = static_cast<std::uint32_t>(byte(4)) << 24U | static_cast<std::uint32_t>(byte(5)) << 16U |
                static_cast<std::uint32_t>(byte(6)) << 8U | byte(7);
        position_ += kHeader;
    }
    return Error{engine_errc::failed, "the engine sent a stream that is not in its multiplexed format"};
}

}  // namespace icos::agent
