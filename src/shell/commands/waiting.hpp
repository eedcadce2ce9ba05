// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "context.hpp"

#include <functional>
#include <string>

namespace icos::shell {

/// What a wait is for.
enum class Goal { running, stopped, gone };

/// Follows an application until it reaches `goal`, showing progress: redrawn in place on a terminal, a line
/// for each change elsewhere. 0 when reached, kTimedOut with an explanation when not, kRefused when it can no
/// longer be.
Task<int> wait_for(Context& context, std::string app, Goal goal, Duration timeout);

/// One line per component replica: "  frontend  edge-2  pulling image demo/web:1 38 %".
std::string progress_lines(const boost::json::value& app, bool colour);
/// Per pending replica the nodes that were considered, with what each lacks.
std::string pending_lines(const boost::json::value& app);

}  // namespace icos::shell
