// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

/// Amounts as people write them. Rounded down, so that what is called free is free. Pure.
namespace icos::matchmaker {

/// Bytes in the family of units that `like` (a user's text) has: "200M" gives powers of 1000, anything else
/// powers of 1024. One decimal at most.
std::string memory_text(std::uint64_t bytes, std::string_view like = {});
/// Milli-cores: "250m" if `like` ends with an m, cores otherwise ("1.5").
std::string cpu_text(std::uint64_t milli, std::string_view like = {});
/// "4 min", "12 s", "3 h", "2 d".
std::string age_text(std::int64_t ms);

}  // namespace icos::matchmaker
