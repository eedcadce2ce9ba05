// SPDX-License-Identifier: Apache-2.0
#include "lease.hpp"

namespace icos::fleet {

NodeState next_state(NodeState state, std::optional<Duration> silence, const LeaseTimes& times) noexcept {
    if (!silence) return state;
    if (*silence >= times.lease) return state == NodeState::joining ? state : NodeState::lost;
    if (*silence >= times.suspect_after) return state == NodeState::ready ? NodeState::suspect : state;
    return NodeState::ready;
}

std::string for_people(Duration duration) {
    const std::int64_t seconds = duration.count() / 1000;
    constexpr std::int64_t minute = 60;
    constexpr std::int64_t hour = 60 * minute;
    constexpr std::int64_t day = 24 * hour;
    if (seconds < 2 * minute) return std::to_string(seconds) + " s";
    if (seconds < 2 * hour) return std::to_string(seconds / minute) + " min";
    if (seconds < 2 * day) return std::to_string(seconds / hour) + " h";
    return std::to_string(seconds / day) + " days";
}

}  // namespace icos::fleet
