// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "accepted_log.hpp"
#include "icos/agent/engine.hpp"
#include "icos/agent/engine_claim.hpp"
#include "icos/async/runtime.hpp"
#include "icos/async/task_group.hpp"
#include "image_store.hpp"
#include "lease.hpp"
#include "node_records.hpp"
#include "rollout.hpp"
#include "unit.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace icos::agent {

using ObservedSet = std::map<PlacementId, ObservedPlacement>;

/// Keeps the engine in step with the accepted set: one task per placement, woken by the engine's events, by
/// changes of the set, by its own timers and by a full look every `interval`. Touches nothing that does not
/// carry its target's label. Needs no network. Loop-confined; keep it by shared_ptr.
class Reconciler : public std::enable_shared_from_this<Reconciler> {
public:
    struct Settings {
        std::string target;
        std::string boot_id;
        Duration interval{60'000};
        std::function<void()> observed_changed;         ///< something of observed() differs
        std::function<void()> engine_changed;           ///< engine() or engine_problem() differs
        EngineClaim* claim = nullptr;                   ///< whether the engine is this agent's; null: it is
        std::function<std::optional<WallTime>()> time;  ///< the controller's, as far as it is known
    };
    Reconciler(
        Runtime& runtime,
        Engine& engine,
        Relay& relay,
        NodeRecords& records,
        SecretStore& secrets,
        Settings settings
    );

    void start();
    /// Ends the tasks; containers stay as they are.
    Task<> stop(Duration deadline);
    void cancel();

    void set_desired(const AcceptedSet& set);
    /// Containers whose placement is unknown may be removed only once the set is known to be whole.
    void trust_desired();

    /// A ping or hello sent at `sent` was answered by a controller that grants leases of `length`.
    void lease_answered(BootTime sent, Duration length);
    /// The accepted set is what the controller wants now.
    void lease_confirmed();
    /// Whether anything runs, or may be on its way to, that only one node may run.
    bool has_exclusive() const;
    /// Makes durable which placements are to go when `next` is wanted, before it is: until their containers
    /// have gone they are reported, also by an agent that is started again and cannot ask its engine.
    static Task<> note_leaving(std::shared_ptr<Reconciler> self, const AcceptedSet& next);
    /// Stops all of that. Nothing of it is started again by this process.
    static Task<> give_up_lease(std::shared_ptr<Reconciler> self, Duration grace);

    /// Whether observed() comes from the engine: every placement was looked at, or the engine is known to be
    /// away. Before that it says "pending" of things that may well run.
    bool is_informed() const;
    const ObservedSet& observed() const noexcept { return observed_; }
    const std::optional<EngineInfo>& engine() const noexcept { return engine_info_; }
    const std::string& engine_problem() const noexcept { return engine_problem_; }
    /// Containers of a placement at the last look, for logs and exec; null if there is none.
    std::shared_ptr<const Unit> find(const PlacementId& id) const;

    struct Counters {
        std::uint64_t passes = 0;
        std::uint64_t failures = 0;
        std::uint64_t events = 0;
        std::uint64_t engine_losses = 0;
        std::uint64_t orphans = 0;
        std::uint64_t lease_ends = 0;  ///< times the lease ended while it mattered
    };
    const Counters& counters() const noexcept { return counters_; }
    std::uint64_t pulls() const noexcept { return images_->pulls(); }
    ImageStore& images() noexcept { return *images_; }

private:
    using UnitPtr = std::shared_ptr<Unit>;
    using Self = std::shared_ptr<Reconciler>;

    static Task<> watch_engine(Self self);
    static Task<> look_regularly(Self self);
    static Task<> serve(Self self, UnitPtr unit);
    static Task<Result<EngineInfo>> ask_engine(Self self);
    static Task<Result<void>> read_events(Self self);
    static Task<Result<void>> look_at_all(Self self);
    static Task<> note_boot(Self self);
    static Task<> keep_lease(Self self);
    static Task<> interrupt_all(Self self, Duration grace);
    void lease_moved();
    /// What there is of it has to end with the lease, wanted or still to be removed.
    bool is_bound(const Unit& unit) const;
    std::vector<std::string> local_addresses(const PlacementId& placement, const std::string& service) const;
    void forget_connections();
    static Task<> look_for_others(Self self);

    UnitPtr unit_for(const PlacementId& id);
    void want(const UnitPtr& unit, std::shared_ptr<const DesiredPlacement> wanted);
    void finish_pass(const UnitPtr& unit, std::uint64_t epoch, const Result<void>& result);
    void engine_up(EngineInfo info);
    void engine_down(const Error& why);
    void publish(Unit& unit);

    Runtime& runtime_;
    Engine& engine_;
    NodeRecords& records_;
    Settings settings_;
    Lease lease_;
    bool has_given_up_ = false;
    std::shared_ptr<ImageStore> images_;
    std::shared_ptr<Connections> connections_;
    std::unique_ptr<Rollout> rollout_;
    std::map<PlacementId, UnitPtr> units_;
    ObservedSet observed_;
    std::optional<EngineInfo> engine_info_;
    std::string engine_problem_;
    bool is_trusted_ = false;
    bool has_rebooted_ = false;  ///< and the engine has not been looked at since
    bool notes_boot_ = false;
    bool has_looked_ = false;  ///< at all containers, once: what a reboot ended is known since
    bool has_asked_ = false;   ///< the engine answered or failed to at least once
    Counters counters_;
    TaskGroup tasks_;
};

}  // namespace icos::agent
