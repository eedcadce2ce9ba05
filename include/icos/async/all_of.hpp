// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"

#include <vector>

namespace icos {

/// Runs the tasks at the same time on the loop and resumes when all have ended, with the first exception, if
/// any. Cancelled, it cancels them, and even then does not end before they have: what they refer to only has
/// to outlive the caller.
Task<> all_of(Runtime& runtime, std::vector<Task<>> tasks);

}  // namespace icos
