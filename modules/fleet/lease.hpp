// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/time.hpp"
#include "icos/ports/topology_view.hpp"

#include <optional>
#include <string>

namespace icos::fleet {

struct LeaseTimes {
    Duration suspect_after{10'000};
    Duration lease{30'000};
};

/// What a node's silence makes of it. `silence`: since the last frame, or since its lease was granted when
/// the controller started; nullopt: neither (it never said hello, or was already lost when the controller
/// started). Pure.
///
/// joining -(hello)-> ready -(suspect_after)-> suspect -(lease)-> lost; any frame leads back to ready.
NodeState next_state(NodeState state, std::optional<Duration> silence, const LeaseTimes& times) noexcept;

/// "11 min", "3 s", "2 h", "4 days": for people.
std::string for_people(Duration duration);

}  // namespace icos::fleet
