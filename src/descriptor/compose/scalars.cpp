// SPDX-License-Identifier: Apache-2.0
#include "compose/scalars.hpp"

#include "nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace icos::descriptor::compose {
namespace {

constexpr std::string_view kCode = "C002";
constexpr double kMostNanoseconds = 9.2e18;
constexpr double kMostBytes = 9.2e18;
constexpr double kMostCpus = 1e6;

struct Reason {
    std::string_view key;
    std::string_view reason;
};
/// Keys people bring along, and why they are not there.
constexpr std::array<Reason, 8> kReasons{{
    {"container_name", "names of containers are made by the system; remove it"},
    {"links", "services of an application reach each other by name; remove it"},
    {"profiles", "every service of a component runs; use components instead"},
    {"platform", "give requirements.architecture in the header"},
    {"mac_address", "addresses are given by the engine"},
    {"name", "the application's name is in the header; remove it"},
    {"include", "one descriptor holds everything; write it out"},
    {"extends", "use an anchor and a merge key instead"},
}};

std::string quoted(const Field& field) {
    return fmt::format("\"{}\"", field.node().text);
}

bool require_scalar(const Field& field, std::string_view expected) {
    if (!field.node().is_scalar()) field.wrong_type(expected, kCode);
    return field.node().is_scalar();
}

/// Leading decimal number; the rest is the unit.
std::optional<double> take_number(std::string_view& text) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto value = parse_number(text.substr(0, end));
    if (value) text.remove_prefix(end);
    return value;
}

}  // namespace

bool parse_uint(std::string_view text, std::uint64_t& value) noexcept {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::optional<std::string> text(const Field& field) {
    if (!require_scalar(field, "string")) return std::nullopt;
    return field.node().text;
}

std::optional<bool> flag(const Field& field) {
    if (!require_scalar(field, "true or false")) return std::nullopt;
    const std::string& value = field.node().text;
    if (value == "true" || value == "True" || value == "TRUE") return true;
    if (value == "false" || value == "False" || value == "FALSE") return false;
    field.fail(kCode, fmt::format("expected true or false, got {}", quoted(field)));
    return std::nullopt;
}

std::optional<std::uint64_t> whole(const Field& field, std::uint64_t low, std::uint64_t high) {
    return field.integer(low, high, kCode);
}

std::optional<std::uint64_t> bytes(const Field& field) {
    if (!require_scalar(field, "byte value")) return std::nullopt;
    std::string unit;
    std::string_view rest = field.node().text;
    const auto number = take_number(rest);
    for (const char c : rest) unit.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    if (unit.size() > 1 && unit.ends_with('b')) unit.pop_back();
    if (unit.size() > 1 && unit.ends_with('i')) unit.pop_back();
    constexpr std::string_view kUnits = "bkmgtp";
    const std::size_t power = unit.empty() ? 0 : kUnits.find(unit);
    if (!number || power == std::string_view::npos || unit.size() > 1) {
        field.fail(
            kCode,
            fmt::format("{} is not a byte value", quoted(field)),
            {.hint = "write 64m, 1g or a number of bytes"}
        );
        return std::nullopt;
    }
    const double value = *number * std::pow(1024.0, static_cast<double>(power));
    if (value > kMostBytes) {
        field.fail(kCode, fmt::format("{} is too much", quoted(field)));
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(value);
}

std::optional<std::uint64_t> nanoseconds(const Field& field) {
    if (!require_scalar(field, "duration")) return std::nullopt;
    struct Unit {
        std::string_view name;
        double factor;
    };
    constexpr std::array<Unit, 7> kUnits{
        {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}
    };
    double total = 0;
    std::string_view rest = field.node().text;
    bool good = !rest.empty();
    if (rest == "0") return 0;
    while (good && !rest.empty()) {
        const auto number = take_number(rest);
        const std::string_view name =
            rest.substr(0, std::min(rest.find_first_of("0123456789."), rest.size()));
        const auto unit =
            std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
        good = number && unit != kUnits.end();
        if (good) total += *number * unit->factor;
        good = good && total < kMostNanoseconds;
        rest.remove_prefix(name.size());
    }
    if (!good) {
        field.fail(
            kCode, fmt::format("{} is not a duration", quoted(field)), {.hint = "write 500ms, 10s or 1m30s"}
        );
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::llround(total));
}

std::optional<std::uint64_t> nano_cpus(const Field& field) {
    if (!require_scalar(field, "number of cores")) return std::nullopt;
    const auto value = parse_number(field.node().text);
    if (!value || *value <= 0 || *value > kMostCpus) {
        field.fail(
            kCode, fmt::format("{} is not a number of cores", quoted(field)), {.hint = "write \"0.5\""}
        );
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::llround(*value * 1e9));
}

std::optional<std::uint64_t> file_mode(const Field& field) {
    if (!require_scalar(field, "file mode")) return std::nullopt;
    std::string_view digits = field.node().text;
    const bool octal = digits.starts_with('0');
    if (digits.starts_with("0o")) digits.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
    if (!octal || error != std::errc() || end != digits.data() + digits.size() || value > 07777) {
        field.fail(
            kCode,
            fmt::format("{} is not a file mode", quoted(field)),
            {.hint = "write it in octal with a leading 0: 0440"}
        );
        return std::nullopt;
    }
    return value;
}

std::optional<boost::json::array> texts(const Field& field, bool or_single) {
    boost::json::array list;
    if (field.node().is_scalar() && or_single) {
        list.emplace_back(field.node().text);
        return list;
    }
    if (!field.node().is_sequence()) {
        field.wrong_type(or_single ? "string or list" : "list", kCode);
        return std::nullopt;
    }
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const auto item = text(field.item(i));
        if (item) list.emplace_back(*item);
    }
    return list;
}

std::vector<Pair> pairs(const Field& field, std::string_view separators) {
    std::vector<Pair> result;
    if (field.node().is_map()) {
        for (const Member& member : field.node().members) {
            const Field value(
                member.value, child(field.path(), member.key.text), member.key.text, field.report()
            );
            if (member.value.is_null()) {
                result.push_back({member.key.text, std::nullopt, value});
            } else if (const auto scalar = text(value)) {
                result.push_back({member.key.text, *scalar, value});
            }
        }
        return result;
    }
    if (!field.expect_list(kCode)) return result;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item = field.item(i);
        const auto entry = text(item);
        if (!entry) continue;
        const std::size_t split = entry->find_first_of(separators);
        if (split == 0) {
            item.fail(kCode, fmt::format("{} has no name", quoted(item)));
        } else if (split == std::string::npos) {
            result.push_back({*entry, std::nullopt, item});
        } else {
            result.push_back({entry->substr(0, split), entry->substr(split + 1), item});
        }
    }
    return result;
}

void supported_keys(const Field& field, std::span<const std::string_view> known) {
    for (const Member& member : field.node().members) {
        const std::string& key = member.key.text;
        if (key.starts_with("x-") || std::find(known.begin(), known.end(), key) != known.end()) continue;
        const auto reason =
            std::find_if(kReasons.begin(), kReasons.end(), [&](const Reason& r) { return r.key == key; });
        std::string hint = reason != kReasons.end() ? std::string(reason->reason) : did_you_mean(key, known);
        if (hint.empty()) hint = "see the supported keys in docs/descriptor.md";
        field.report().add(
            "C001",
            member.key.at,
            child(field.path(), key),
            fmt::format("{}: this compose key is not supported", key),
            {.hint = std::move(hint)}
        );
    }
}

}  // namespace icos::descriptor::compose
