// SPDX-License-Identifier: Apache-2.0
#include "sqlite/retention_clock.hpp"

#include <algorithm>

namespace icos::store {

WallTime advance_retention(WallTime retention, WallTime wall, Duration elapsed) noexcept {
    const WallTime now = retention + elapsed;
    if (wall <= now) return now;
    return now + std::min<Duration>(wall - now, elapsed);
}

}  // namespace icos::store
