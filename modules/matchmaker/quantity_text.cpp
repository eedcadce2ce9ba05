// SPDX-License-Identifier: Apache-2.0
#include "quantity_text.hpp"

#include <algorithm>
#include <array>

namespace icos::matchmaker {
namespace {

bool has_decimal_unit(std::string_view text) {
    if (text.empty()) return false;
    const char last = text.back();
    if (last == 'B' || last == 'b')
        return text.size() > 1 && has_decimal_unit(text.substr(0, text.size() - 1));
    return last == 'k' || last == 'K' || last == 'M' || last == 'G' || last == 'T' || last == 'P' ||
           last == 'E';
}

}  // namespace

std::string memory_text(std::uint64_t bytes, std::string_view like) {
    static constexpr std::array<std::string_view, 7> binary{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    static constexpr std::array<std::string_view, 7> decimal{"", "k", "M", "G", "T", "P", "E"};
    const bool powers_of_1000 = has_decimal_unit(like);
    const std::uint64_t step = powers_of_1000 ? 1000 : 1024;
    std::uint64_t unit = 1;
    std::size_t index = 0;
    while (index + 1 < binary.size() && bytes / unit >= step) {
        unit *= step;
        ++index;
    }
    std::string text = std::to_string(bytes / unit);
    const std::uint64_t tenths = bytes % unit * 10 / unit;
    if (tenths > 0) text += '.' + std::to_string(tenths);
    text += powers_of_1000 ? decimal.at(index) : binary.at(index);
    return text;
}

std::string cpu_text(std::uint64_t milli, std::string_view like) {
    if (like.ends_with('m')) return std::to_string(milli) + "m";
    std::string text = std::to_string(milli / 1000);
    if (milli % 1000 == 0) return text;
    std::string fraction = std::to_string(milli % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return text + '.' + fraction;
}

std::string age_text(std::int64_t ms) {
    const std::int64_t seconds = std::max<std::int64_t>(ms, 0) / 1000;
    if (seconds < 60) return std::to_string(seconds) + " s";
    if (seconds < 3600) return std::to_string(seconds / 60) + " min";
    if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h";
    return std::to_string(seconds / 86'400) + " d";
}

}  // namespace icos::matchmaker
