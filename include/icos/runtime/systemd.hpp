// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace icos::systemd {

/// Sends a state to the service manager as sd_notify(3) does: "READY=1", "STOPPING=1", "STATUS=…". Nothing
/// happens when the process was not started by one (no NOTIFY_SOCKET).
void notify(std::string_view state);
/// WATCHDOG_USEC, when it is meant for this process.
std::optional<Duration> watchdog_interval();
/// Sends WATCHDOG=1 at half the interval for as long as the loop turns; returns at once without a watchdog.
Task<> feed_watchdog(Runtime& runtime);

}  // namespace icos::systemd
