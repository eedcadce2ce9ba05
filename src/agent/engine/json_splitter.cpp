// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/json_splitter.hpp"

#include "icos/agent/engine.hpp"

namespace icos::agent {
namespace {

constexpr std::size_t kMaxValue = std::size_t{1} << 20U;

bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

}  // namespace

void JsonSplitter::feed(std::string_view bytes) {
    if (position_ > 0) {
        buffer_.erase(0, position_);
        position_ = 0;
    }
    buffer_ += bytes;
}

Result<std::optional<boost::json::value>> JsonSplitter::next() {
    if (!broken_) {
        if (!started_) {
            while (position_ < buffer_.size() && is_blank(buffer_[position_])) ++position_;
            if (position_ == buffer_.size()) return std::optional<boost::json::value>();
            parser_.reset();
            started_ = true;
            size_ = 0;
        }
        boost::system::error_code ec;
        const std::size_t used =
            parser_.write_some(buffer_.data() + position_, buffer_.size() - position_, ec);
        position_ += used;
        size_ += used;
        if (!ec && size_ <= kMaxValue) {
            if (!parser_.done()) return std::optional<boost::json::value>();
            started_ = false;
            return std::optional<boost::json::value>(parser_.release());
        }
        broken_ = true;
    }
    return Error{engine_errc::failed, "the engine sent something that is not a stream of JSON values"};
}

}  // namespace icos::agent
