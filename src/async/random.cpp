// SPDX-License-Identifier: Apache-2.0
#include "icos/async/runtime.hpp"

#include <array>
#include <vector>

namespace icos {
namespace {

std::string to_hex(std::span<const std::byte> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::byte byte : bytes) {
        const auto value = std::to_integer<unsigned>(byte);
        text += kDigits[value >> 4U];
        text += kDigits[value & 0xFU];
    }
    return text;
}

}  // namespace

std::uint64_t random_u64(Runtime& runtime) {
    std::array<std::byte, 8> bytes{};
    runtime.random_bytes(bytes);
    std::uint64_t value = 0;
    for (const std::byte byte : bytes) value = value << 8U | std::to_integer<std::uint64_t>(byte);
    return value;
}

std::string make_uuid(Runtime& runtime) {
    std::array<std::byte, 16> bytes{};
    runtime.random_bytes(bytes);
    bytes[6] = (bytes[6] & std::byte{0x0F}) | std::byte{0x40};
    bytes[8] = (bytes[8] & std::byte{0x3F}) | std::byte{0x80};
    std::string text = to_hex(bytes);
    for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
    return text;
}

std::string random_hex(Runtime& runtime, std::size_t bytes) {
    std::vector<std::byte> buffer(bytes);
    runtime.random_bytes(buffer);
    return to_hex(buffer);
}

}  // namespace icos
