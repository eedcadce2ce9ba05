// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::descriptor::yaml {

/// A place in the original text: 1-based line and column in characters.
struct Position {
    std::size_t line = 1;
    std::size_t column = 1;
    auto operator<=>(const Position&) const = default;
};

/// Half-open range of bytes of the original text.
struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
};

struct Member;

/// A node of the tree, aliases expanded. An expanded alias stands at the alias; what is below it, at its
/// definition.
struct Node {
    enum class Kind { null, scalar, sequence, map };

    Kind kind = Kind::null;
    bool plain =
        true;  ///< scalar: subject to the core schema (neither quoted, nor a block, nor tagged !!str)
    bool block_map = false;  ///< map written without braces
    std::string text;        ///< scalar and null: the value
    Position at;
    Span span;
    std::vector<Node> items;
    std::vector<Member> members;

    bool is_null() const noexcept { return kind == Kind::null; }
    bool is_scalar() const noexcept { return kind == Kind::scalar; }
    bool is_sequence() const noexcept { return kind == Kind::sequence; }
    bool is_map() const noexcept { return kind == Kind::map; }

    /// The first member with this key, or null.
    const Member* member(std::string_view key) const noexcept;
    /// Its value, or null. A present null value is returned as a node of kind null.
    const Node* find(std::string_view key) const noexcept;
    /// Where a missing key is reported: the first key, or the map itself if it is empty.
    Position first_key() const noexcept;
};

struct Member {
    Node key;
    Node value;
};

/// What a plain scalar is under the YAML 1.2 core schema, with the booleans of YAML 1.1 told apart.
enum class ScalarType { string, boolean, legacy_boolean, integer, floating };
ScalarType scalar_type(const Node& node) noexcept;
/// "map", "list", "string", "number", "boolean" or "null", for messages.
std::string_view kind_name(const Node& node) noexcept;
/// "~", "null", "" and their spellings.
bool is_null_text(std::string_view text) noexcept;

}  // namespace icos::descriptor::yaml
