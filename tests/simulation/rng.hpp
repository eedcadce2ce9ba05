// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

namespace icos::sim {

/// xoshiro256**: small, fast and the same on every platform, unlike the distributions of <random>.
class Rng {
public:
    explicit Rng(std::uint64_t seed);
    std::uint64_t next();
    /// Uniform in [0, bound); 0 for a bound of 0.
    std::uint64_t below(std::uint64_t bound);
    /// Uniform in [low, high].
    std::int64_t between(std::int64_t low, std::int64_t high);
    /// True once in `n` times on average.
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    /// A generator of its own for a part, so that one part's draws do not move another's.
    Rng fork(std::string_view name);

private:
    std::uint64_t state_[4];
};

}  // namespace icos::sim
