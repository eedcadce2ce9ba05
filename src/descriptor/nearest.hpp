// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace icos::descriptor {

/// The candidate a typist most likely meant, or empty if none is near (at most a third of the letters
/// differ).
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);
/// `did you mean "x"?`, or empty.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace icos::descriptor
