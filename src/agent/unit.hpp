// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"
#include "icos/agent/protocol.hpp"
#include "icos/async/backoff.hpp"
#include "icos/async/runtime.hpp"
#include "icos/async/signal.hpp"
#include "placement_state.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace icos::agent {

/// rollout.exits, rollout.unhealthy, rollout.dependency_failed: a generation did not prove itself.
/// rollout.superseded: something else is wanted by now. rollout.lease_ended: what at most one node may run is
/// not started without a lease. rollout.waits: an update must not begin yet.
enum class rollout_errc { exits = 1, unhealthy, dependency_failed, superseded, lease_ended, waits };
const ErrorDomain& rollout_domain() noexcept;
inline boost::system::error_code make_error_code(rollout_errc e) noexcept {
    return {static_cast<int>(e), rollout_domain()};
}

/// Restarts of a container that the engine must not restart by itself: that of an exclusive component. The
/// delays are an engine's: doubled up to a minute, short again after ten seconds up.
struct OwnRestart {
    std::uint32_t count = 0;
    Backoff delay{{Duration(200), Duration(60'000)}};
    std::optional<BootTime> due;       ///< it is down, and started again then
    std::optional<BootTime> up_since;  ///< as seen here
};

/// One placement as the reconciler works on it: what is wanted, what is there, what is being done.
/// Loop-confined; one task works on it at a time.
struct Unit {
    Unit(Runtime& runtime, PlacementId placement)
        : id(std::move(placement)), wake(runtime), backoff({Duration(2'000), Duration(300'000)}) {}

    PlacementId id;
    std::shared_ptr<const DesiredPlacement> wanted;  ///< null: nothing of it may be left
    std::uint64_t epoch = 0;                         ///< changes with `wanted`
    bool dirty = true;                               ///< somebody should look
    Signal wake;
    bool gone = false;  ///< removed completely

    std::vector<ContainerState> containers;  ///< at the last look
    bool looked = false;
    std::map<std::string, int> last_exit;        ///< container id -> exit code seen while it was down
    std::set<std::string> lost_running;          ///< ran when the node or the engine went away
    std::map<std::string, OwnRestart> restarts;  ///< by container id; only of what is exclusive
    bool awaits_lease = false;                   ///< exclusive, and may not be started now
    Traits traits;
    std::string network;  ///< the application network's name
    AppId app_id;
    std::string app;
    std::string component;

    std::optional<PlacementState> doing;  ///< preparing or starting, while a step is under way
    std::string progress;
    std::optional<Error> problem;  ///< why `wanted` is not reached
    std::optional<Error>
        connection_problem;     ///< why what runs cannot reach others at the addresses it was told
    std::string failed_digest;  ///< did not prove itself; not tried again before `wanted` changes
    Backoff backoff;
    std::optional<BootTime> retry_at;
    std::optional<BootTime> look_at;

    void poke() {
        dirty = true;
        wake.notify();
    }
    std::vector<const ContainerState*> of_digest(const std::string& digest) const;
    std::vector<const ContainerState*> of_service(const std::string& digest, const std::string& service)
        const;
    /// Digest of the containers that serve: the wanted one unless an earlier one has not been replaced yet;
    /// empty when there are none.
    std::string serving_digest() const;
    /// Among the digests that are not wanted, the one to go back to: not a half-made successor. Empty without
    /// any.
    std::string fallback_digest() const;
};

/// Key of a placement in the record of begun removals.
inline std::string removal_key(const Unit& unit) {
    return unit.id.value + "/" + unit.app_id.value;
}

/// What a controller is told of the unit.
struct UnitView {
    ObservedPlacement observed;
    std::optional<Duration> look_again;
};
UnitView view_of(const Unit& unit, std::int64_t now_ms);

}  // namespace icos::agent

template <>
struct boost::system::is_error_code_enum<icos::agent::rollout_errc> : std::true_type {};
