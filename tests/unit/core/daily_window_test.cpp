// SPDX-License-Identifier: Apache-2.0
#include "icos/core/daily_window.hpp"

#include <catch2/catch.hpp>

using namespace icos;

namespace {

WallTime at(const char* text) {
    return parse_rfc3339(text).value();
}

}  // namespace

TEST_CASE("a daily window is two different times of the day", "[core][window]") {
    CHECK(DailyWindow::parse("02:00-04:00").has_value());
    CHECK(DailyWindow::parse("22:30-01:15")->text() == "22:30-01:15");
    for (const char* wrong :
         {"", "night", "02:00", "2:00-4:00", "02:00-24:00", "02:60-04:00", "02:00-02:00", "02:00-04:000", "-"
         })
        CHECK_FALSE(DailyWindow::parse(wrong).has_value());
}

TEST_CASE("a window holds its first minute and not its last", "[core][window]") {
    const DailyWindow night = DailyWindow::parse("02:00-04:00").value();
    CHECK_FALSE(night.contains(at("2026-11-24T01:59:59Z")));
    CHECK(night.contains(at("2026-11-24T02:00:00Z")));
    CHECK(night.contains(at("2026-11-24T03:59:59Z")));
    CHECK_FALSE(night.contains(at("2026-11-24T04:00:00Z")));
    CHECK(night.until_open(at("2026-11-24T01:00:00Z")) == std::chrono::hours(1));
    CHECK(night.until_open(at("2026-11-24T05:00:00Z")) == std::chrono::hours(21));
    CHECK(night.until_open(at("2026-11-24T03:00:00Z")) == Duration{0});
}

TEST_CASE("a window may go over midnight, also before 1970", "[core][window]") {
    const DailyWindow night = DailyWindow::parse("22:00-02:00").value();
    CHECK(night.contains(at("2026-11-24T23:00:00Z")));
    CHECK(night.contains(at("2026-11-24T01:00:00Z")));
    CHECK_FALSE(night.contains(at("2026-11-24T12:00:00Z")));
    CHECK(night.contains(WallTime(Duration{-1})));
}
