// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "report.hpp"

#include <string>
#include <string_view>

namespace icos::descriptor::compose {

/// The text with `$VAR`, `${VAR:-default}` and their kind resolved, or why that is impossible.
struct Interpolation {
    std::string text;
    std::string problem;  ///< empty: resolved
    std::string hint;
};
/// There is no environment: every variable is unset.
Interpolation interpolate(std::string_view text);
/// Interpolates all values of a tree, except below `x-…`; C003 where that fails.
void interpolate(Node& node, const std::string& path, Report& report);

}  // namespace icos::descriptor::compose
