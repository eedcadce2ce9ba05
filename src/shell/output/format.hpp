// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/time.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace icos::shell {

/// "2 s", "5 min", "3 h", "12 d": how people say a span.
std::string span(Duration duration);
/// "2 s ago"; "-" for an empty or unreadable time.
std::string ago(std::string_view rfc3339, WallTime now);
/// 4000 -> "4", 3600 -> "3.6", 50 -> "0.05".
std::string cores(std::uint64_t milli);
/// 8375186227 -> "7.8Gi".
std::string memory(std::uint64_t bytes);
/// "14:20:05" in local time.
std::string clock_time(std::string_view rfc3339);
/// "14:03" as RFC 3339 of today, local time; any other text as it is.
std::string today_at(std::string_view text, WallTime now);
/// Milliseconds as "3.4 s", "820 ms", "2 min 5 s".
std::string elapsed(Duration duration);

/// Member as text: strings as they are, numbers and booleans as JSON, "" when absent or null.
std::string text_of(const boost::json::value& object, std::string_view member);
std::int64_t integer_of(const boost::json::value& object, std::string_view member, std::int64_t fallback = 0);
bool flag_of(const boost::json::value& object, std::string_view member);
/// Member as an array; an empty one when absent.
const boost::json::array& list_of(const boost::json::value& object, std::string_view member);
/// "k=v,k2=v2" of an object member; "-" when empty.
std::string pairs_of(const boost::json::value& object, std::string_view member);
/// `text`, or "-" when it is empty: what is not known is never shown as 0.
std::string or_dash(std::string text);

}  // namespace icos::shell
