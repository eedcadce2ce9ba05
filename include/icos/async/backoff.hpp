// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/time.hpp"

#include <cstdint>

namespace icos {
class Runtime;

/// Delays between attempts: full jitter (AWS architecture blog, "Exponential Backoff And Jitter"): the n-th
/// is uniform in [0, min(cap, base * 2^n)]. Pure but for the runtime's randomness.
class Backoff {
public:
    struct Settings {
        Duration base{500};
        Duration cap{30'000};
    };
    explicit Backoff(Settings settings) : settings_(settings) {}
    Duration next(Runtime& runtime);
    void reset() noexcept { attempt_ = 0; }
    std::uint32_t attempts() const noexcept { return attempt_; }

private:
    Settings settings_;
    std::uint32_t attempt_ = 0;
};

}  // namespace icos
