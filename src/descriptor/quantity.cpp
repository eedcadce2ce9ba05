// SPDX-License-Identifier: Apache-2.0
#include "quantity.hpp"

#include "field.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace icos::descriptor {
namespace {

constexpr std::string_view kUnits = "Ki Mi Gi Ti, k M G T";
/// A number that is longer says no more.
constexpr std::size_t kLongestText = 64;
/// 8 EiB: sums of a few of them must not overflow.
constexpr long double kMostBytes = 9.2e18L;
constexpr long double kMostMilliCores = 1e12L;

struct Unit {
    std::string_view name;
    long double factor;
};

constexpr std::array<Unit, 13> kMemoryUnits{{
    {"", 1.0L},
    {"Ki", 1024.0L},
    {"Mi", 1048576.0L},
    {"Gi", 1073741824.0L},
    {"Ti", 1099511627776.0L},
    {"Pi", 1125899906842624.0L},
    {"Ei", 1152921504606846976.0L},
    {"k", 1e3L},
    {"M", 1e6L},
    {"G", 1e9L},
    {"T", 1e12L},
    {"P", 1e15L},
    {"E", 1e18L},
}};

struct Lenient {
    std::string_view written;
    std::string_view meant;
};

constexpr std::array<Lenient, 13> kLenientUnits{{
    {"Mb", "M"},
    {"MB", "M"},
    {"Gb", "G"},
    {"GB", "G"},
    {"kb", "k"},
    {"KB", "k"},
    {"ki", "Ki"},
    {"mi", "Mi"},
    {"gi", "Gi"},
    {"ti", "Ti"},
    {"MiB", "Mi"},
    {"GiB", "Gi"},
    {"KiB", "Ki"},
}};

/// The decimal number at the front of a text. An exponent belongs to it only when digits follow ("1E" is
/// exa).
std::string_view number_prefix(std::string_view text) {
    std::size_t i = 0;
    const auto digits = [&] {
        const std::size_t from = i;
        while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
        return i - from;
    };
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    std::size_t count = digits();
    if (i < text.size() && text[i] == '.') {
        ++i;
        count += digits();
    }
    if (count == 0) return {};
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        const std::size_t mark = i++;
        if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
        if (digits() == 0) i = mark;
    }
    return text.substr(0, i);
}

/// Exact for what people write: the product of a short decimal and a unit has no rounding error above 1e-6.
std::uint64_t rounded_up(long double value) {
    return static_cast<std::uint64_t>(std::ceil(value - 1e-6L));
}

QuantityReading bad(std::string_view code, std::string message, std::string hint = {}) {
    return {
        .value = std::nullopt,
        .code = std::string(code),
        .message = std::move(message),
        .hint = std::move(hint)
    };
}

}  // namespace

QuantityReading read_cpu(std::string_view text) {
    std::string_view number = text;
    long double factor = 1000.0L;
    if (number.ends_with('m')) {
        number.remove_suffix(1);
        factor = 1.0L;
    }
    const auto value = text.size() > kLongestText ? std::nullopt : parse_number(number);
    if (!value || *value <= 0) {
        return bad(
            "E042", fmt::format("\"{}\" is not a positive number of cores", text), "write 0.5 or \"500m\""
        );
    }
    const long double milli = static_cast<long double>(*value) * factor;
    if (milli > kMostMilliCores) return bad("E042", fmt::format("\"{}\" cores are too many", text));
    return {.value = std::max<std::uint64_t>(1, rounded_up(milli)), .code = {}, .message = {}, .hint = {}};
}

QuantityReading read_memory(std::string_view text) {
    const std::string_view number = text.size() > kLongestText ? std::string_view() : number_prefix(text);
    const auto value = number.empty() ? std::nullopt : parse_number(number);
    if (!value) {
        return bad(
            "E043",
            fmt::format("\"{}\" is not a quantity", text),
            fmt::format("write a number and a unit ({})", kUnits)
        );
    }
    if (*value <= 0) return bad("E043", fmt::format("\"{}\" is not above 0", text));
    std::string_view unit = text.substr(number.size());
    std::string lenient;
    if (unit.starts_with(' ')) {
        unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
        lenient = fmt::format("\"{}\" read as \"{}{}\"", text, number, unit);
    }
    if (unit == "K") {
        return bad(
            "E045",
            fmt::format("unknown unit in \"{}\"", text),
            fmt::format("write {0}k (1000) or {0}Ki (1024)", number)
        );
    }
    if (unit == "m") {
        return bad(
            "E045",
            fmt::format("\"{}\" is in thousandths of a byte", text),
            fmt::format("write {0}M or {0}Mi", number)
        );
    }
    for (const Lenient& known : kLenientUnits) {
        if (unit != known.written) continue;
        lenient = fmt::format("\"{}\" read as \"{}{}\"", text, number, known.meant);
        unit = known.meant;
        break;
    }
    for (const Unit& known : kMemoryUnits) {
        if (unit != known.name) continue;
        const long double bytes = static_cast<long double>(*value) * known.factor;
        if (bytes > kMostBytes) return bad("E043", fmt::format("\"{}\" is too much", text));
        return {
            .value = std::max<std::uint64_t>(1, rounded_up(bytes)),
            .code = {},
            .message = std::move(lenient),
            .hint = {}
        };
    }
    return bad("E043", fmt::format("unknown unit \"{}\" ({})", text, kUnits));
}

}  // namespace icos::descriptor
