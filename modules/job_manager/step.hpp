// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/messages/app.hpp"
#include "icos/store/store.hpp"
#include "state.hpp"

#include <set>
#include <vector>

namespace icos::job_manager {

/// What one step changed in memory: the rows to write, the facts to record, whom to tell once it is durable.
struct Step {
    std::set<AppId> apps{};              ///< rows to write, or to remove if memory no longer has them
    std::set<PlacementId> placements{};  ///< the same
    std::vector<Change> revisions{};
    std::vector<Change> rows{};  ///< of other kinds: credentials, the key of digests
    std::vector<EventDraft> events{};
    std::set<NodeId> targets{};  ///< whose plan changed
    std::set<AppId> touched{};   ///< to show anew to those who watch
    std::vector<messages::AppAccepted> accepted{};
    std::vector<messages::AppDeleted> deleted{};
    std::vector<messages::ComponentObserved> observed{};

    bool is_empty() const noexcept {
        return apps.empty() && placements.empty() && revisions.empty() && rows.empty() && events.empty();
    }
};

}  // namespace icos::job_manager
