// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/time.hpp"

#include <algorithm>

namespace icos::agent {

/// Until when this node may run what only one node may run. The controller gives that away some time after it
/// last heard of the node; the agent counts from the moment it sent what was answered, which is earlier, so
/// its lease has ended by then. Counts on the boot clock, which goes on in a suspended machine. No I/O.
///
/// A lease that ended comes back only with the controller's word that the accepted set is the one it wants
/// (`confirm`): an older one may name what runs elsewhere by now.
class Lease {
public:
    /// An agent that starts does not know what was answered before: what runs already may go on until
    /// `grace_end`, nothing is started.
    explicit Lease(BootTime grace_end) : end_(grace_end) {}

    /// A ping (or hello) sent at `sent` was answered by a controller that grants `length`.
    void answered(BootTime now, BootTime sent, Duration length) {
        expire(now);
        answered_end_ = std::max(answered_end_, sent + length);
        if (is_confirmed_) end_ = answered_end_;
    }
    /// The accepted set is the controller's, as of now.
    void confirm(BootTime now) {
        expire(now);
        if (now >= answered_end_) return;
        is_confirmed_ = true;
        end_ = answered_end_;
    }
    /// What runs may go on.
    bool holds(BootTime now) const noexcept { return now < end_; }
    /// Something may be started that takes up to `margin` to do so.
    bool may_start(BootTime now, Duration margin) const noexcept {
        return is_confirmed_ && now + margin < end_;
    }
    BootTime end() const noexcept { return end_; }

private:
    void expire(BootTime now) noexcept {
        if (now >= end_) is_confirmed_ = false;
    }

    BootTime end_;
    BootTime answered_end_{};
    bool is_confirmed_ = false;
};

}  // namespace icos::agent
