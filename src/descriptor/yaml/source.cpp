// SPDX-License-Identifier: Apache-2.0
#include "yaml/source.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace icos::descriptor::yaml {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct Decoded {
    std::uint32_t code_point = 0;
    std::size_t length = 0;  ///< 0: not valid UTF-8
};

Decoded decode(std::string_view text, std::size_t i) {
    const auto byte = [&](std::size_t k) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(text[k]));
    };
    const std::uint32_t first = byte(i);
    if (first < 0x80) return {first, 1};
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || i + length > text.size()) return {};
    std::uint32_t value = first & (0x7FU >> length);
    for (std::size_t k = 1; k < length; ++k) {
        if ((byte(i + k) & 0xC0U) != 0x80U) return {};
        value = (value << 6U) | (byte(i + k) & 0x3FU);
    }
    const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (overlong || surrogate || value > 0x10FFFF) return {};
    return {value, length};
}

bool is_allowed(std::uint32_t c) {
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7E) || c == 0x85 ||
           (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD && c != 0xFEFF) || c >= 0x10000;
}

bool starts_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

}  // namespace

std::optional<BadByte> Source::bad_byte(std::string_view text) {
    Position at;
    std::size_t i = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    while (i < text.size()) {
        const Decoded decoded = decode(text, i);
        if (decoded.length == 0) {
            return BadByte{
                at,
                fmt::format("byte 0x{:02x} at offset {} is not UTF-8", static_cast<unsigned char>(text[i]), i)
            };
        }
        if (!is_allowed(decoded.code_point)) {
            return BadByte{at, fmt::format("control character U+{:04X} at offset {}", decoded.code_point, i)};
        }
        const bool ends_line =
            text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'));
        i += decoded.length;
        if (ends_line) {
            at = {at.line + 1, 1};
        } else {
            ++at.column;
        }
    }
    return std::nullopt;
}

Source::Source(std::string_view text) : text_(text) {
    skipped_ = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    repaired_ = std::string(text.substr(skipped_));
    line_byte_.push_back(skipped_);
    line_char_.push_back(0);
    const bool ascii = std::all_of(repaired_.begin(), repaired_.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x80;
    });
    std::size_t index = 0;
    for (std::size_t i = skipped_; i < text.size(); ++i) {
        if (!starts_character(text[i])) continue;
        if (!ascii) char_byte_.push_back(static_cast<std::uint32_t>(i));
        ++index;
        if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'))) {
            line_byte_.push_back(i + 1);
            line_char_.push_back(index);
        }
    }
    if (!ascii) char_byte_.push_back(static_cast<std::uint32_t>(text.size()));
}

std::size_t Source::original_char(std::size_t repaired_char) const noexcept {
    std::size_t before = 0;
    while (before < inserted_char_.size() && inserted_char_[before] + before < repaired_char) ++before;
    return repaired_char - before;
}

std::size_t Source::byte_of_original_char(std::size_t index) const noexcept {
    if (char_byte_.empty()) return std::min(skipped_ + index, text_.size());
    return char_byte_[std::min(index, char_byte_.size() - 1)];
}

std::size_t Source::byte_of(std::size_t repaired_char) const noexcept {
    return byte_of_original_char(original_char(repaired_char));
}

Position Source::position(std::size_t repaired_char) const noexcept {
    const std::size_t index = original_char(repaired_char);
    const auto after = std::upper_bound(line_char_.begin(), line_char_.end(), index);
    const auto line = static_cast<std::size_t>(after - line_char_.begin());
    return {line, index - line_char_[line - 1] + 1};
}

std::string_view Source::line(std::size_t number) const noexcept {
    if (number == 0 || number > line_byte_.size()) return {};
    const std::size_t begin = line_byte_[number - 1];
    const std::size_t end = number < line_byte_.size() ? line_byte_[number] : text_.size();
    std::string_view line = text_.substr(begin, end - begin);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    return line;
}

std::size_t Source::line_of_byte(std::size_t byte) const noexcept {
    const auto after = std::upper_bound(line_byte_.begin(), line_byte_.end(), byte);
    return std::max<std::size_t>(1, static_cast<std::size_t>(after - line_byte_.begin()));
}

void Source::insert_space(std::size_t line_number, std::size_t byte_in_line) {
    const std::size_t byte = line_byte_[line_number - 1] + byte_in_line;
    const std::string_view before = text_.substr(line_byte_[line_number - 1], byte_in_line);
    const auto characters =
        static_cast<std::size_t>(std::count_if(before.begin(), before.end(), starts_character));
    const std::size_t index = line_char_[line_number - 1] + characters;
    inserted_char_.insert(std::upper_bound(inserted_char_.begin(), inserted_char_.end(), index), index);
    inserted_byte_.insert(std::upper_bound(inserted_byte_.begin(), inserted_byte_.end(), byte), byte);
    repaired_.clear();
    std::size_t from = skipped_;
    for (const std::size_t to : inserted_byte_) {
        repaired_.append(text_.substr(from, to - from)).push_back(' ');
        from = to;
    }
    repaired_.append(text_.substr(from));
}

}  // namespace icos::descriptor::yaml
