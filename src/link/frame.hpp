// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/link/session.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace icos::link {

enum class FrameType : std::uint8_t { open = 0, data, data_end, credit, finish, reset, ping, pong };

inline constexpr std::size_t kHeader = 8;
inline constexpr std::size_t kMaxPayload = kMaxFrame - kHeader;

/// A received frame; `payload` points into the received bytes.
struct FrameView {
    FrameType type = FrameType::data;
    bool known = true;  ///< false: a type of a later version, to be ignored
    std::uint32_t channel = 0;
    std::string_view payload;
};

std::string make_frame(FrameType type, std::uint32_t channel, std::string_view payload);
std::string make_credit(std::uint32_t channel, std::uint32_t bytes);
/// link.protocol if the bytes are no frame of version N or up to two later.
Result<FrameView> parse_frame(std::string_view bytes);
std::uint32_t read_u32(std::string_view bytes);  ///< big endian; at least 4 bytes

}  // namespace icos::link
