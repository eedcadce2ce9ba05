// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/time.hpp"
#include "icos/ports/topology_view.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>

namespace icos::job_manager {

/// Decides which lost nodes may be given up, so that what ran there gets new homes. When many go at once, it
/// is more likely the controller's own network that went: then nothing is given up until most are back, an
/// operator confirms the loss of a node, or enough time has passed. Those that are not yet among the
/// returning have one window more: agents come back over a while. No clock, no I/O.
class NodeLosses {
public:
    struct Rules {
        Duration patience{10 * 60'000};  ///< of a mass loss; afterwards one node every `pace`
        Duration pace{60'000};
        Duration margin{15'000};  ///< after its lease, for an agent to stop what is exclusive
    };
    explicit NodeLosses(Rules rules) : rules_(rules) {}

    /// Takes the nodes' states as they are at `now`; call after each change, and from time to time.
    void update(const Topology& topology, BootTime now);
    /// Nodes that may be given up; all of them are lost.
    const std::set<NodeId>& given_up() const noexcept { return given_up_; }
    /// Those of them on which nothing exclusive runs any more, because their agents ended it with the lease.
    const std::set<NodeId>& silent() const noexcept { return silent_; }
    bool is_mass_loss() const noexcept { return mass_.has_value(); }
    /// When time alone changes an answer.
    std::optional<BootTime> look_again() const noexcept { return look_again_; }

private:
    struct Mass {
        BootTime since{};
        std::size_t base = 0;  ///< nodes that were ready before
    };
    void note(const Topology& topology, BootTime now);
    void judge(const Topology& topology, BootTime now);

    Rules rules_;
    bool is_first_ = true;
    std::map<NodeId, BootTime> lost_;       ///< since when, as seen here
    std::map<NodeId, BootTime> silent_at_;  ///< of the lost ones, the earliest time they can be silent()
    std::set<NodeId> silent_;
    std::optional<BootTime> look_again_;
    std::optional<Mass> mass_;
    std::optional<BootTime> ended_;  ///< when the last mass loss did
    std::set<NodeId> released_;      ///< during a mass loss, because time passed
    std::set<NodeId> given_up_;
};

}  // namespace icos::job_manager
