// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/relay.hpp"

#include <optional>
#include <vector>

namespace icos::agent {

/// Where the next connection of a listener goes: the targets in turn, those that fail passed over. Pure: the
/// time and the length of pauses are passed in. A failing target is tried by one connection at a time (a
/// probe), so that however many clients are held, a dead target sees one attempt per pause.
class TargetSet {
public:
    /// A target to try now; or, without one, when to ask again. Neither: when something changes.
    struct Choice {
        std::optional<RelayTarget> target;
        std::optional<BootTime> retry_at;
    };
    struct Pauses {
        Duration retry{0};      ///< until the next attempt where no target answers
        Duration pass_over{0};  ///< until the next attempt while others answer
    };

    /// Replaces the targets. All of them count as answering: being named again is news.
    void assign(std::vector<RelayTarget> targets);
    bool names(const RelayTarget& target) const;
    /// Each target that is returned is to be followed by `succeeded`, `failed` or a new `assign`.
    Choice choose(BootTime now);
    /// True if it had failed before.
    bool succeeded(const RelayTarget& target);
    /// True if it had answered before.
    bool failed(const RelayTarget& target, BootTime now, Pauses pauses);
    /// Attempts that failed in a row, those at the same time counted as one.
    std::uint32_t failures(const RelayTarget& target) const;

private:
    struct Entry {
        RelayTarget target;
        std::uint32_t failures = 0;
        BootTime retry_at{};
        BootTime passed_over_until{};
        bool is_probed = false;
    };
    Entry* find(const RelayTarget& target);
    const Entry* find(const RelayTarget& target) const;

    std::vector<Entry> entries_;
    std::size_t turn_ = 0;
};

}  // namespace icos::agent
