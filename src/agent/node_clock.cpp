// SPDX-License-Identifier: Apache-2.0
#include "node_clock.hpp"

namespace icos::agent {
namespace {

constexpr Duration kStep{2'000};
/// No clock that is right shows a time before this program was written.
constexpr WallTime kPlausible{std::chrono::sys_days{std::chrono::January / 1 / 2025}};

}  // namespace

void NodeClock::compare(WallTime wall, std::int64_t controller_ms) {
    if (controller_ms != 0) offset_ = wall - from_ms(controller_ms);
}

bool NodeClock::look(WallTime wall, BootTime boot) {
    const Duration difference =
        wall.time_since_epoch() - std::chrono::duration_cast<Duration>(boot.time_since_epoch());
    const Duration set_by = wall_less_boot_ ? difference - *wall_less_boot_ : Duration{0};
    wall_less_boot_ = difference;
    if (set_by <= kStep && set_by >= -kStep) return false;
    if (offset_) *offset_ += set_by;
    ++steps_;
    return true;
}

std::optional<WallTime> NodeClock::time(WallTime wall) const {
    if (offset_) return wall - *offset_;
    if (wall < kPlausible) return std::nullopt;
    return wall;
}

std::optional<std::int64_t> NodeClock::offset_ms() const {
    if (!offset_) return std::nullopt;
    return offset_->count();
}

}  // namespace icos::agent
