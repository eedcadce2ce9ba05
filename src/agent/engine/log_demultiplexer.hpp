// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace icos::agent {

/// Takes the engine's multiplexed stream apart: frames of an 8-byte header {stream, 0, 0, 0, size (big
/// endian)} and their bytes. Sans-io: feed what arrives, take what is ready. A frame is handed out piece by
/// piece, so it needs no more memory than what was fed.
class LogDemultiplexer {
public:
    struct Piece {
        bool is_stderr = false;
        std::string bytes;
        bool ends_frame = false;
    };

    void feed(std::string_view bytes);
    /// The next piece; nullopt: feed more. engine.failed when the bytes are no such stream, and ever after.
    Result<std::optional<Piece>> next();
    /// True when the stream may end here: no frame is incomplete.
    bool at_boundary() const noexcept { return left_ == 0 && buffer_.size() == position_; }

private:
    std::string buffer_;
    std::size_t position_ = 0;
    std::uint32_t left_ = 0;  ///< bytes of the current frame still to come
    bool is_stderr_ = false;
    bool broken_ = false;
};

}  // namespace icos::agent
