// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "field.hpp"

#include <boost/json/array.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Readings of single values as the Compose Specification spells them. Each reports C002 and answers nullopt.
namespace icos::descriptor::compose {

/// Any scalar as the text that was written.
std::optional<std::string> text(const Field& field);
std::optional<bool> flag(const Field& field);
std::optional<std::uint64_t> whole(const Field& field, std::uint64_t low, std::uint64_t high);
/// "64m", "1gb", 1048576: powers of 1024, as Compose defines.
std::optional<std::uint64_t> bytes(const Field& field);
/// "1m30s", "1.5s", "500ms".
std::optional<std::uint64_t> nanoseconds(const Field& field);
/// "0.5" cores.
std::optional<std::uint64_t> nano_cpus(const Field& field);
/// "0440", "0o440", as octal; a number without the leading zero is refused because its reading is disputed.
std::optional<std::uint64_t> file_mode(const Field& field);

/// A list of scalars; `or_single`: one scalar stands for a list of one.
std::optional<boost::json::array> texts(const Field& field, bool or_single);
/// {K: V} or ["K=V"]. A pair without a value has nullopt.
struct Pair {
    std::string key;
    std::optional<std::string> value;
    Field field;
};
std::vector<Pair> pairs(const Field& field, std::string_view separators);

/// The maps of a compose file: C001 for keys that are not known, with the nearest one; `x-…` is accepted.
void supported_keys(const Field& field, std::span<const std::string_view> known);

bool parse_uint(std::string_view text, std::uint64_t& value) noexcept;

}  // namespace icos::descriptor::compose
