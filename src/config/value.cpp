// SPDX-License-Identifier: Apache-2.0
#include "config/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace icos::config {
namespace {

std::string bounds(const Key& key) {
    if (key.min && key.max) return fmt::format(" in {}..{}", *key.min, *key.max);
    if (key.min) return fmt::format(" of at least {}", *key.min);
    if (key.max) return fmt::format(" of at most {}", *key.max);
    return {};
}

bool is_within(const Key& key, std::int64_t value) {
    return (!key.min || value >= *key.min) && (!key.max || value <= *key.max);
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> kUnits{
        {{"Ki", 1ULL << 10U},
         {"Mi", 1ULL << 20U},
         {"Gi", 1ULL << 30U},
         {"Ti", 1ULL << 40U},
         {"k", 1'000},
         {"M", 1'000'000},
         {"G", 1'000'000'000},
         {"T", 1'000'000'000'000}}
    };
    std::uint64_t factor = 1;
    for (const auto& [suffix, value] : kUnits) {
        if (!text.ends_with(suffix)) continue;
        factor = value;
        text.remove_suffix(suffix.size());
        break;
    }
    const auto number = parse_integer(text);
    if (!number || *number < 0) return std::nullopt;
    const auto value = static_cast<std::uint64_t>(*number);
    if (value > std::numeric_limits<std::int64_t>::max() / factor) return std::nullopt;
    return value * factor;
}

std::optional<bool> parse_boolean(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> items;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        std::string_view item = text.substr(0, comma);
        while (item.starts_with(' ')) item.remove_prefix(1);
        while (item.ends_with(' ')) item.remove_suffix(1);
        if (!item.empty()) items.emplace_back(item);
        if (comma == std::string_view::npos) break;
        text.remove_prefix(comma + 1);
    }
    return items;
}

std::optional<std::string> mismatch(const Key& key, std::string_view text) {
    switch (key.type) {
        case Type::integer: {
            const auto value = parse_integer(text);
            if (!value || !is_within(key, *value)) return "an integer" + bounds(key);
            return std::nullopt;
        }
        case Type::bytes: {
            const auto value = parse_bytes(text);
            if (!value || !is_within(key, static_cast<std::int64_t>(*value))) {
                return "bytes like 512, 64Ki or 16M" + bounds(key);
            }
            return std::nullopt;
        }
        case Type::duration: {
            const auto value = parse_duration(text);
            if (!value || !is_within(key, value->count())) {
                std::string limits;
                if (key.min) limits += " of at least " + format_duration(Duration(*key.min));
                if (key.max)
                    limits += (key.min ? " and" : " of") + std::string(" at most ") +
                              format_duration(Duration(*key.max));
                return "a duration like 500ms, 30s or 1h" + limits;
            }
            return std::nullopt;
        }
        case Type::boolean:
            return parse_boolean(text) ? std::nullopt : std::optional<std::string>("true or false");
        case Type::text:
            if (key.allowed.empty() ||
                std::find(key.allowed.begin(), key.allowed.end(), text) != key.allowed.end()) {
                return std::nullopt;
            }
            return fmt::format("one of {}", fmt::join(key.allowed, ", "));
        case Type::list:
            return std::nullopt;
    }
    return std::nullopt;
}

std::string nearest(std::string_view name, const std::vector<std::string>& known) {
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const std::string& candidate : known) {
        const std::size_t d = distance(name, candidate);
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

}  // namespace icos::config
