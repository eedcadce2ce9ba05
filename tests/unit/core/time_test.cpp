// SPDX-License-Identifier: Apache-2.0
#include "icos/core/time.hpp"

#include <catch2/catch.hpp>

using icos::Duration;

TEST_CASE("times are written as RFC 3339 with milliseconds in UTC", "[core][time]") {
    CHECK(icos::to_rfc3339(icos::from_ms(0)) == "1970-01-01T00:00:00.000Z");
    CHECK(icos::to_rfc3339(icos::from_ms(1'795'493'011'123)) == "2026-11-24T04:03:31.123Z");
    CHECK(icos::to_rfc3339(icos::from_ms(-1)) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("RFC 3339 is read with fractions, offsets and lower case", "[core][time]") {
    CHECK(icos::parse_rfc3339("2026-11-24T04:03:31.123Z") == icos::from_ms(1'795'493'011'123));
    CHECK(icos::parse_rfc3339("2026-11-24t04:03:31z") == icos::from_ms(1'795'493'011'000));
    CHECK(icos::parse_rfc3339("2026-11-24T05:03:31.1239999+01:00") == icos::from_ms(1'795'493'011'123));
    CHECK(icos::parse_rfc3339("2026-11-23T23:03:31-05:00") == icos::from_ms(1'795'493'011'000));
}

TEST_CASE("what is not RFC 3339 is refused", "[core][time]") {
    for (const char* text :
         {"",
          "2026",
          "2026-11-24",
          "2026-13-01T00:00:00Z",
          "2026-02-30T00:00:00Z",
          "2026-11-24T24:00:00Z",
          "2026-11-24T04:03:31",
          "2026-11-24T04:03:31.Z",
          "2026-11-24T04:03:31Zx",
          "2026-11-24T04:03:31+1"}) {
        CAPTURE(text);
        CHECK_FALSE(icos::parse_rfc3339(text).has_value());
    }
}

TEST_CASE("durations are read and written in their shortest exact form", "[core][time]") {
    CHECK(icos::parse_duration("90s") == Duration{90'000});
    CHECK(icos::parse_duration("1h30m") == Duration{5'400'000});
    CHECK(icos::parse_duration("250ms") == Duration{250});
    CHECK(icos::parse_duration("2d") == Duration{172'800'000});
    CHECK(icos::parse_duration("0") == Duration{0});
    CHECK(icos::format_duration(Duration{90'000}) == "1m30s");
    CHECK(icos::format_duration(Duration{90'061'001}) == "1d1h1m1s1ms");
    CHECK(icos::format_duration(Duration{0}) == "0s");
    CHECK(icos::format_duration(Duration{-1500}) == "-1s500ms");
}

TEST_CASE("what is not a duration is refused", "[core][time]") {
    for (const char* text :
         {"",
          "5",
          "s",
          "-5s",
          "5 s",
          "1.5h",
          "1m1h",
          "1s1s",
          "99999999999999999999s",
          "9000000000000000d",
          "5x"}) {
        CAPTURE(text);
        CHECK_FALSE(icos::parse_duration(text).has_value());
    }
}

TEST_CASE("a time in the past is a moment or a duration ago", "[core][time]") {
    const icos::WallTime now = icos::from_ms(1'000'000);
    CHECK(icos::parse_past("10m", now) == icos::from_ms(400'000));
    CHECK(icos::parse_past("1970-01-01T00:00:05Z", now) == icos::from_ms(5'000));
    CHECK_FALSE(icos::parse_past("yesterday", now));
}
