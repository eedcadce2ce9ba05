// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace icos::agent {

/// Takes a stream of JSON values apart that stand one after another, with or without blanks between them, as
/// the engine sends pull progress and events. Sans-io. One value may have at most 1 MiB.
class JsonSplitter {
public:
    void feed(std::string_view bytes);
    /// The next whole value; nullopt: feed more. engine.failed for text that is no JSON or too long, and ever
    /// after.
    Result<std::optional<boost::json::value>> next();
    bool at_boundary() const noexcept { return !started_ && position_ == buffer_.size(); }

private:
    boost::json::stream_parser parser_;
    std::string buffer_;
    std::size_t position_ = 0;
    std::size_t size_ = 0;  ///< of the current value so far
    bool started_ = false;
    bool broken_ = false;
};

}  // namespace icos::agent
