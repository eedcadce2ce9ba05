// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace icos::link {

bool is_valid_utf8(std::string_view text) noexcept;
/// The text with every byte that is no part of valid UTF-8 replaced by U+FFFD: what engines, kernels and
/// containers say need not be text, and one bad byte would make a whole message unreadable.
std::string to_valid_utf8(std::string_view text);

}  // namespace icos::link
