// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "context.hpp"

#include <boost/json/array.hpp>

#include <cstdint>
#include <optional>
#include <string>

/// Parts of `icos rollout` that need no controller. Pure.
namespace icos::shell {

/// Items of GET /api/v1/apps/{name}/generations as a table (wide: with the time), or one number a line.
std::string history_text(const boost::json::array& items, WallTime now, Format format);
/// Empty = the generation before.
std::string rollback_body(std::optional<std::uint64_t> generation);

}  // namespace icos::shell
