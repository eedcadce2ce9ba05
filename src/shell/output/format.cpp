// SPDX-License-Identifier: Apache-2.0
#include "output/format.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>

namespace icos::shell {
namespace {

/// One decimal below 10, none above or when it would be ".0".
std::string short_number(double value) {
    std::string text = fmt::format("{:.1f}", value);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text;
}

}  // namespace

std::string span(Duration duration) {
    using namespace std::chrono;
    const auto s = duration_cast<seconds>(duration).count();
    if (s < 0) return "0 s";
    if (s < 100) return fmt::format("{} s", s);
    if (s < 100 * 60) return fmt::format("{} min", s / 60);
    if (s < 48 * 3600) return fmt::format("{} h", s / 3600);
    return fmt::format("{} d", s / 86400);
}

std::string ago(std::string_view rfc3339, WallTime now) {
    const auto time = parse_rfc3339(rfc3339);
    if (!time) return "-";
    return span(now - *time) + " ago";
}

std::string cores(std::uint64_t milli) {
    std::string text = fmt::format("{:.2f}", static_cast<double>(milli) / 1000.0);
    while (text.ends_with('0')) text.pop_back();
    if (text.ends_with('.')) text.pop_back();
    return text;
}

std::string memory(std::uint64_t bytes) {
    static constexpr std::array<std::string_view, 6> kUnits{"", "Ki", "Mi", "Gi", "Ti", "Pi"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024.0 && unit + 1 < kUnits.size()) {
        value /= 1024.0;
        ++unit;
    }
    return short_number(value) + std::string(kUnits.at(unit));
}

std::string clock_time(std::string_view rfc3339) {
    const auto time = parse_rfc3339(rfc3339);
    if (!time) return "-";
    const std::time_t seconds = static_cast<std::time_t>(to_ms(*time) / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

std::string today_at(std::string_view text, WallTime now) {
    const auto digit = [text](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4))
        return std::string(text);
    const int hour = (text[0] - '0') * 10 + text[1] - '0';
    const int minute = (text[3] - '0') * 10 + text[4] - '0';
    if (hour > 23 || minute > 59) return std::string(text);
    const std::time_t seconds = static_cast<std::time_t>(to_ms(now) / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    local.tm_hour = hour;
    local.tm_min = minute;
    local.tm_sec = 0;
    local.tm_isdst = -1;
    return to_rfc3339(from_ms(static_cast<std::int64_t>(std::mktime(&local)) * 1000));
}

std::string elapsed(Duration duration) {
    const auto ms = duration.count();
    if (ms < 1000) return fmt::format("{} ms", ms);
    if (ms < 100'000) return short_number(static_cast<double>(ms) / 1000.0) + " s";
    return fmt::format("{} min {} s", ms / 60'000, ms / 1000 % 60);
}

static const boost::json::value* member_of(const boost::json::value& object, std::string_view member) {
    const auto* as_object = object.if_object();
    return as_object == nullptr ? nullptr : as_object->if_contains(member);
}

std::string text_of(const boost::json::value& object, std::string_view member) {
    const boost::json::value* value = member_of(object, member);
    if (value == nullptr || value->is_null()) return {};
    if (const auto* text = value->if_string()) return std::string(*text);
    return boost::json::serialize(*value);
}

std::int64_t integer_of(const boost::json::value& object, std::string_view member, std::int64_t fallback) {
    const boost::json::value* value = member_of(object, member);
    if (value == nullptr || !value->is_number()) return fallback;
    if (const auto* number = value->if_int64()) return *number;
    if (const auto* number = value->if_uint64()) return static_cast<std::int64_t>(*number);
    return std::llround(value->get_double());
}

bool flag_of(const boost::json::value& object, std::string_view member) {
    const boost::json::value* value = member_of(object, member);
    return value != nullptr && value->is_bool() && value->get_bool();
}

const boost::json::array& list_of(const boost::json::value& object, std::string_view member) {
    static const boost::json::array kEmpty;
    const boost::json::value* value = member_of(object, member);
    return value != nullptr && value->is_array() ? value->get_array() : kEmpty;
}

std::string pairs_of(const boost::json::value& object, std::string_view member) {
    const boost::json::value* value = member_of(object, member);
    std::string text;
    if (value != nullptr && value->is_object()) {
        for (const auto& pair : value->get_object()) {
            if (!text.empty()) text += ',';
            text += pair.key();
            text += '=';
            text += text_of(*value, pair.key());
        }
    }
    return or_dash(std::move(text));
}

std::string or_dash(std::string text) {
    return text.empty() ? "-" : text;
}

}  // namespace icos::shell
