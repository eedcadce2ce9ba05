// SPDX-License-Identifier: Apache-2.0
#include "icos/core/daily_window.hpp"

namespace icos {
namespace {

constexpr std::chrono::hours kDay{24};

std::optional<std::chrono::minutes> parse_time(std::string_view text) {
    const auto digit = [&text](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4))
        return std::nullopt;
    const int hours = (text[0] - '0') * 10 + (text[1] - '0');
    const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
    if (hours > 23 || minutes > 59) return std::nullopt;
    return std::chrono::hours(hours) + std::chrono::minutes(minutes);
}

std::string to_text(std::chrono::minutes time) {
    const auto two = [](std::int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); };
    return two(time.count() / 60) + ":" + two(time.count() % 60);
}

Duration time_of_day(WallTime time) {
    return time - std::chrono::floor<std::chrono::days>(time);
}

}  // namespace

std::optional<DailyWindow> DailyWindow::parse(std::string_view text) {
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto from = parse_time(text.substr(0, dash));
    const auto to = parse_time(text.substr(dash + 1));
    if (!from || !to || *from == *to) return std::nullopt;
    return DailyWindow(*from, *to);
}

bool DailyWindow::contains(WallTime time) const {
    const Duration now = time_of_day(time);
    if (from_ < to_) return now >= from_ && now < to_;
    return now >= from_ || now < to_;
}

Duration DailyWindow::until_open(WallTime time) const {
    if (contains(time)) return Duration{0};
    const Duration left = Duration(from_) - time_of_day(time);
    return left < Duration{0} ? left + Duration(kDay) : left;
}

std::string DailyWindow::text() const {
    return to_text(from_) + "-" + to_text(to_);
}

}  // namespace icos
