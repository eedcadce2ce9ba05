// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "context.hpp"

#include <boost/json/array.hpp>

#include <string>

namespace icos::shell {

/// Follows a drain until nothing is left on the node that may move, and lists what stays and why. 0 then,
/// kTimedOut with what is still there if not.
Task<int> wait_for_drain(Context& context, std::string node, Duration timeout);

/// A line for each of these placements that stays: "  shop/db  stays: …".
std::string staying_lines(const boost::json::array& placements);

}  // namespace icos::shell
