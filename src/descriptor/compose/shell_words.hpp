// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::descriptor::compose {

/// Splits a command as a POSIX shell would split it into words: quotes and backslashes, no expansions.
/// Nullopt if a quote is not closed or a backslash ends the text.
std::optional<std::vector<std::string>> shell_words(std::string_view text);

}  // namespace icos::descriptor::compose
