// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/config/view.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::config {

/// Whether `text` is a value of `key`; otherwise what was expected, for a person: "an integer in 0..65535".
std::optional<std::string> mismatch(const Key& key, std::string_view text);

std::optional<std::int64_t> parse_integer(std::string_view text);
/// "512", "64k", "16Mi", "1G": bytes; k M G are powers of 1000, Ki Mi Gi of 1024.
std::optional<std::uint64_t> parse_bytes(std::string_view text);
std::optional<bool> parse_boolean(std::string_view text);  ///< true and false only
std::vector<std::string> split_list(std::string_view text);

/// The name in `known` with the smallest edit distance to `name`, if it is close enough to be meant.
std::string nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace icos::config
