// SPDX-License-Identifier: Apache-2.0
#include "field.hpp"

#include "nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace icos::descriptor {

void Field::fail(std::string_view code, std::string_view message, Report::Extra extra) const {
    report_->add(code, node_->at, path_, fmt::format("{}: {}", subject_, message), std::move(extra));
}

void Field::wrong_type(std::string_view expected, std::string_view code) const {
    std::string hint;
    if (expected == "string" && node_->is_scalar()) hint = fmt::format("quote it: \"{}\"", node_->text);
    const std::size_t colon = node_->text.find(':');
    const bool glued = expected.starts_with("map") && node_->is_scalar() && node_->plain &&
                       colon != std::string::npos && colon > 0 && node_->text.find(' ') > colon;
    if (glued) hint = fmt::format("a space is missing after \"{}:\"", node_->text.substr(0, colon));
    fail(code, fmt::format("expected {}, got {}", expected, kind_name(*node_)), {.hint = std::move(hint)});
}

std::optional<Field> Field::at(std::string_view key) const {
    const Node* value = node_->find(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return Field(*value, child(path_, key), std::string(key), *report_);
}

Field Field::item(std::size_t index) const {
    return {node_->items[index], child(path_, index), subject_, *report_};
}

bool Field::expect_map(std::string_view code) const {
    if (!node_->is_map()) wrong_type("map", code);
    return node_->is_map();
}

bool Field::expect_list(std::string_view code) const {
    if (!node_->is_sequence()) wrong_type("list", code);
    return node_->is_sequence();
}

std::optional<std::string> Field::string(std::string_view code) const {
    if (!node_->is_scalar() || scalar_type(*node_) != yaml::ScalarType::string) {
        wrong_type("string", code);
        return std::nullopt;
    }
    return node_->text;
}

std::optional<bool> Field::boolean(std::string_view code) const {
    if (!node_->is_scalar() || scalar_type(*node_) != yaml::ScalarType::boolean) {
        wrong_type("true or false", code);
        return std::nullopt;
    }
    return node_->text[0] == 't' || node_->text[0] == 'T';
}

std::optional<double> Field::number(std::string_view code) const {
    const auto value = node_->is_scalar() ? parse_number(node_->text) : std::nullopt;
    if (!value) wrong_type("number", code);
    return value;
}

std::optional<std::uint64_t> Field::integer(std::uint64_t low, std::uint64_t high, std::string_view code)
    const {
    std::uint64_t value = 0;
    const std::string& text = node_->text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (!node_->is_scalar() || error != std::errc() || end != text.data() + text.size()) {
        fail(
            code,
            fmt::format(
                "expected an integer from {} to {}, got {}",
                low,
                high,
                node_->is_scalar() ? fmt::format("\"{}\"", text) : std::string(kind_name(*node_))
            )
        );
        return std::nullopt;
    }
    if (value < low || value > high) {
        fail(code, fmt::format("{} is not within {} to {}", value, low, high));
        return std::nullopt;
    }
    return value;
}

std::optional<std::string> Field::one_of(std::span<const std::string_view> words, std::string_view code)
    const {
    if (!node_->is_scalar()) {
        wrong_type("string");
        return std::nullopt;
    }
    if (std::find(words.begin(), words.end(), node_->text) == words.end()) {
        fail(
            code,
            fmt::format("unknown value \"{}\" ({})", node_->text, enumerate(words)),
            {.hint = did_you_mean(node_->text, words)}
        );
        return std::nullopt;
    }
    return node_->text;
}

std::optional<std::vector<std::string>> Field::strings(std::string_view code) const {
    if (!node_->is_sequence()) {
        auto single = string(code);
        if (!single) return std::nullopt;
        return std::vector<std::string>{std::move(*single)};
    }
    if (node_->items.empty()) {
        fail(code, "the list is empty");
        return std::nullopt;
    }
    std::vector<std::string> list;
    for (std::size_t i = 0; i < node_->items.size(); ++i) {
        auto text = item(i).string(code);
        if (!text) return std::nullopt;
        list.push_back(std::move(*text));
    }
    return list;
}

void Field::known_keys(std::span<const std::string_view> known, std::string_view code) const {
    for (const Member& member : node_->members) {
        if (std::find(known.begin(), known.end(), member.key.text) != known.end()) continue;
        // E009 has said it already, and better.
        if (member.key.plain && member.key.text.starts_with('-')) continue;
        std::string hint = did_you_mean(member.key.text, known);
        if (hint.empty()) hint = fmt::format("known here: {}", enumerate(known));
        report_->add(
            code,
            member.key.at,
            child(path_, member.key.text),
            fmt::format("{}: unknown key", member.key.text),
            {.hint = std::move(hint)}
        );
    }
}

std::optional<std::uint64_t> prometheus_duration_ms(std::string_view text) {
    struct Unit {
        std::string_view name;
        std::uint64_t ms;
    };
    constexpr std::array<Unit, 7> kUnits{
        {{"ms", 1},
         {"s", 1000},
         {"m", 60'000},
         {"h", 3'600'000},
         {"d", 86'400'000},
         {"w", 604'800'000},
         {"y", 31'536'000'000}}
    };
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest == text.data()) return std::nullopt;
    const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
    for (const Unit& unit : kUnits) {
        if (suffix != unit.name) continue;
        if (value > std::numeric_limits<std::uint64_t>::max() / unit.ms) return std::nullopt;
        return value * unit.ms;
    }
    return std::nullopt;
}

std::optional<double> parse_number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    if (text.empty() || (text[0] != '-' && text[0] != '.' && (text[0] < '0' || text[0] > '9')))
        return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return std::nullopt;
    return value;
}

bool is_rfc1123(std::string_view name) noexcept {
    const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (name.empty() || name.size() > 63 || !alphanumeric(name.front()) || !alphanumeric(name.back()))
        return false;
    return std::all_of(name.begin(), name.end(), [&](char c) { return alphanumeric(c) || c == '-'; });
}

std::string to_rfc1123(std::string_view name) {
    std::string result;
    for (const char c : name) {
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        const bool keep = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
        if (!keep && (result.empty() || result.back() == '-')) continue;
        result.push_back(keep ? lower : '-');
    }
    result.resize(std::min<std::size_t>(result.size(), 63));
    while (!result.empty() && result.back() == '-') result.pop_back();
    return result;
}

std::string enumerate(std::span<const std::string_view> words) {
    std::string result;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) result += i + 1 == words.size() ? " or " : ", ";
        result += words[i];
    }
    return result;
}

}  // namespace icos::descriptor
