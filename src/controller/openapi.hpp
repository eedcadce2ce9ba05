// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace icos::controller {
/// docs/api/openapi.json.
std::string_view openapi();
}  // namespace icos::controller
