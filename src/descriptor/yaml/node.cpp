// SPDX-License-Identifier: Apache-2.0
#include "yaml/node.hpp"

#include <algorithm>
#include <array>

namespace icos::descriptor::yaml {
namespace {

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) noexcept {
    return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

std::size_t skip_digits(std::string_view text, std::size_t i) noexcept {
    while (i < text.size() && is_digit(text[i])) ++i;
    return i;
}

bool all_from(std::string_view text, std::string_view set) noexcept {
    return !text.empty() && text.find_first_not_of(set) == std::string_view::npos;
}

bool is_integer(std::string_view text) noexcept {
    if (text.starts_with("0o")) return all_from(text.substr(2), "01234567");
    if (text.starts_with("0x")) return all_from(text.substr(2), "0123456789abcdefABCDEF");
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    return all_from(text, "0123456789");
}

bool is_floating(std::string_view text) noexcept {
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    if (one_of(text, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"})) return true;
    std::size_t i = skip_digits(text, 0);
    std::size_t digits = i;
    if (i < text.size() && text[i] == '.') {
        const std::size_t fraction = skip_digits(text, i + 1);
        digits += fraction - i - 1;
        i = fraction;
    }
    if (digits == 0) return false;
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        ++i;
        if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
        const std::size_t end = skip_digits(text, i);
        if (end == i) return false;
        i = end;
    }
    return i == text.size();
}

}  // namespace

const Member* Node::member(std::string_view key) const noexcept {
    for (const Member& candidate : members) {
        if (candidate.key.text == key) return &candidate;
    }
    return nullptr;
}

const Node* Node::find(std::string_view key) const noexcept {
    const Member* found = member(key);
    return found == nullptr ? nullptr : &found->value;
}

Position Node::first_key() const noexcept {
    return members.empty() ? at : members.front().key.at;
}

bool is_null_text(std::string_view text) noexcept {
    return one_of(text, {"", "~", "null", "Null", "NULL"});
}

ScalarType scalar_type(const Node& node) noexcept {
    if (!node.plain) return ScalarType::string;
    const std::string_view text = node.text;
    if (one_of(text, {"true", "True", "TRUE", "false", "False", "FALSE"})) return ScalarType::boolean;
    if (one_of(text, {"yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"})) {
        return ScalarType::legacy_boolean;
    }
    if (is_integer(text)) return ScalarType::integer;
    return is_floating(text) ? ScalarType::floating : ScalarType::string;
}

std::string_view kind_name(const Node& node) noexcept {
    switch (node.kind) {
        case Node::Kind::null:
            return "null";
        case Node::Kind::sequence:
            return "list";
        case Node::Kind::map:
            return "map";
        case Node::Kind::scalar:
            break;
    }
    switch (scalar_type(node)) {
        case ScalarType::boolean:
        case ScalarType::legacy_boolean:
            return "boolean";
        case ScalarType::integer:
        case ScalarType::floating:
            return "number";
        case ScalarType::string:
            break;
    }
    return "string";
}

}  // namespace icos::descriptor::yaml
