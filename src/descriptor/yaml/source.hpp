// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "yaml/node.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::descriptor::yaml {

/// Why a text is not one: where, and what was found.
struct BadByte {
    Position at;
    std::string message;
};

/// The original text with its lines, and the spaces that lenient repair inserted. The parser counts
/// characters of the repaired text; everything a user sees is in the original.
class Source {
public:
    /// The text must outlive the source and be valid (see `bad_byte`).
    explicit Source(std::string_view text);

    /// Finds invalid UTF-8 and control characters that no YAML text may contain.
    static std::optional<BadByte> bad_byte(std::string_view text);

    std::string_view original() const noexcept { return text_; }
    const std::string& repaired() const noexcept { return repaired_; }

    /// Character index of the repaired text -> byte of the original.
    std::size_t byte_of(std::size_t repaired_char) const noexcept;
    Position position(std::size_t repaired_char) const noexcept;
    /// The line's text in the original, without its end. Empty beyond the last line.
    std::string_view line(std::size_t number) const noexcept;
    /// Line of a byte of the original.
    std::size_t line_of_byte(std::size_t byte) const noexcept;
    /// Byte at which a line of the original starts.
    std::size_t line_begin(std::size_t number) const noexcept { return line_byte_[number - 1]; }

    /// Inserts one space at `byte_in_line` of a line; the next parse sees it.
    void insert_space(std::size_t line_number, std::size_t byte_in_line);

private:
    std::size_t original_char(std::size_t repaired_char) const noexcept;
    std::size_t byte_of_original_char(std::size_t index) const noexcept;

    std::string_view text_;
    std::string repaired_;
    std::size_t skipped_ = 0;                 ///< bytes of a byte order mark, not given to the parser
    std::vector<std::size_t> line_byte_;      ///< byte at which each line starts
    std::vector<std::size_t> line_char_;      ///< character (after the mark) at which each line starts
    std::vector<std::uint32_t> char_byte_;    ///< empty if the text is ASCII
    std::vector<std::size_t> inserted_char_;  ///< original characters before which a space went, ascending
    std::vector<std::size_t> inserted_byte_;
};

}  // namespace icos::descriptor::yaml
