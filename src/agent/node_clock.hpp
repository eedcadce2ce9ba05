// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/time.hpp"

#include <cstdint>
#include <optional>

namespace icos::agent {

/// What is known about the node's wall clock: how far it is from the controller's, and when it was set. Pure;
/// times are parameters.
class NodeClock {
public:
    /// A controller said what its clock shows; 0: it did not.
    void compare(WallTime wall, std::int64_t controller_ms);
    /// To be called regularly; true when the clock was set since the last call.
    bool look(WallTime wall, BootTime boot);
    /// The controller's time, or the node's own while no controller was heard and it is not plainly wrong;
    /// nullopt: nobody knows.
    std::optional<WallTime> time(WallTime wall) const;
    /// The node's less the controller's.
    std::optional<std::int64_t> offset_ms() const;
    std::uint64_t steps() const noexcept { return steps_; }

private:
    std::optional<Duration> offset_;
    std::optional<Duration> wall_less_boot_;
    std::uint64_t steps_ = 0;
};

}  // namespace icos::agent
