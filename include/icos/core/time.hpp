// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace icos {

using Duration = std::chrono::milliseconds;
/// Civil time. May jump, may be wrong (a board without a clock starts in 1970): for people and certificates
/// only.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Tag clock of `Runtime::boot()`: runs since boot, also during suspend (CLOCK_BOOTTIME); never jumps. Leases
/// and timeouts use it.
struct BootClock {
    using rep = std::chrono::nanoseconds::rep;
    using period = std::chrono::nanoseconds::period;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
};
using BootTime = BootClock::time_point;

/// RFC 3339 with milliseconds in UTC: "2026-11-24T04:03:31.123Z".
std::string to_rfc3339(WallTime time);
std::optional<WallTime> parse_rfc3339(std::string_view text);
inline std::int64_t to_ms(WallTime time) {
    return time.time_since_epoch().count();
}
inline WallTime from_ms(std::int64_t ms) {
    return WallTime(std::chrono::milliseconds(ms));
}
/// "90s", "10m", "1h30m", "250ms", "2d"; nullopt if it is none of these.
std::optional<Duration> parse_duration(std::string_view text);
/// A time in the past as people and queries give it: RFC 3339, or a duration before `now`.
std::optional<WallTime> parse_past(std::string_view text, WallTime now);
/// Shortest exact form of the above: "90s" -> "1m30s".
std::string format_duration(Duration duration);

}  // namespace icos
