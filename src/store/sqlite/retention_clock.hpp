// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/time.hpp"

namespace icos::store {

/// The clock that decides what is too old to be kept. The wall clock alone must not: one that jumps to 2100
/// would take all events and the whole history along. This one runs with the boot clock, and while the wall
/// clock is ahead (the controller was off, or the wall clock is wrong) catches up at twice the speed, so that
/// a wrong clock costs no more age than the time it was wrong for. Pure.
WallTime advance_retention(WallTime retention, WallTime wall, Duration elapsed) noexcept;

}  // namespace icos::store
