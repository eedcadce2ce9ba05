// SPDX-License-Identifier: Apache-2.0
#include "frame.hpp"

namespace icos::link {
namespace {

void put_u32(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 255U));
}

Error broken(std::string detail) {
    return Error{errc::protocol, std::move(detail)};
}

}  // namespace

std::uint32_t read_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i)
        value = value << 8U | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    return value;
}

std::string make_frame(FrameType type, std::uint32_t channel, std::string_view payload) {
    std::string out;
    out.reserve(kHeader + payload.size());
    out.push_back(static_cast<char>(kVersion));
    out.push_back(static_cast<char>(type));
    out.append(2, '\0');
    put_u32(out, channel);
    out.append(payload);
    return out;
}

std::string make_credit(std::uint32_t channel, std::uint32_t bytes) {
    std::string payload;
    put_u32(payload, bytes);
    return make_frame(FrameType::credit, channel, payload);
}

Result<FrameView> parse_frame(std::string_view bytes) {
    if (bytes.size() < kHeader)
        return broken("a frame of " + std::to_string(bytes.size()) + " bytes has no header");
    if (bytes.size() > kMaxFrame) {
        return broken(
            "a frame of " + std::to_string(bytes.size()) + " bytes exceeds " + std::to_string(kMaxFrame)
        );
    }
    const auto version = static_cast<unsigned char>(bytes[0]);
    // The next two versions keep this layout; what they add are frame types, which are skipped here.
    if (version == 0 || version > kVersion + 2)
        return broken("frame version " + std::to_string(version) + " is not understood");
    const auto type = static_cast<unsigned char>(bytes[1]);
    const bool known = type <= static_cast<unsigned char>(FrameType::pong);
    if (!known && version <= kVersion)
        return broken("frame type " + std::to_string(type) + " does not exist");
    FrameView view{static_cast<FrameType>(type), known, read_u32(bytes.substr(4)), bytes.substr(kHeader)};
    if (!known) return view;
    switch (view.type) {
        case FrameType::credit:
            if (view.payload.size() != 4) return broken("a credit frame carries 4 bytes");
            break;
        case FrameType::ping:
        case FrameType::pong:
            if (view.payload.size() != 8) return broken("ping and pong carry 8 bytes");
            break;
        case FrameType::open:
        case FrameType::data:
        case FrameType::data_end:
        case FrameType::finish:
        case FrameType::reset:
            break;
    }
    return view;
}

}  // namespace icos::link
