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
        Duration window{30'000};         ///< losses this close together belong together: one lease
        Duration patience{10 * 60'000};  ///< of a mass loss; afterwards one node every `pace`
        Duration pace{60'000};
    };
    explicit NodeLosses(Rules rules) : rules_(rules) {}

    /// Takes the nodes' states as they are at `now`; call after each change, and from time to time.
    void update(const Topology& topology, BootTime now);
    /// Nodes that may be given up; all of them are lost.
    const std::set<NodeId>& given_up() const noexcept { return given_up_; }
    bool is_mass_loss() const noexcept { return mass_.has_value(); }

private:
    struct Mass {
        BootTime since{};
        std::size_t base = 0;  ///< nodes that were ready before
    };
    void note(const Topology& topology, BootTime now);
    void judge(const Topology& topology, BootTime now);

    Rules rules_;
    std::map<NodeId, BootTime> lost_;  ///< since when, as seen here
    std::optional<Mass> mass_;
    std::optional<BootTime> ended_;  ///< when the last mass loss did
    std::set<NodeId> released_;      ///< during a mass loss, because time passed
    std::set<NodeId> given_up_;
};

}  // namespace icos::job_manager
