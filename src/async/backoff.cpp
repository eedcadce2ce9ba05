// SPDX-License-Identifier: Apache-2.0
#include "icos/async/backoff.hpp"

#include "icos/async/runtime.hpp"

#include <algorithm>

namespace icos {

Duration Backoff::next(Runtime& runtime) {
    const std::int64_t cap = std::max<std::int64_t>(settings_.cap.count(), 0);
    std::int64_t limit = std::clamp<std::int64_t>(settings_.base.count(), 0, cap);
    for (std::uint32_t i = 0; i < attempt_ && limit < cap && limit > 0; ++i)
        limit = limit > cap / 2 ? cap : limit * 2;
    ++attempt_;
    const auto span = static_cast<std::uint64_t>(limit) + 1;
    return Duration{static_cast<std::int64_t>(random_u64(runtime) % span)};
}

}  // namespace icos
