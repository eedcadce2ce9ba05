// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "connections.hpp"
#include "image_store.hpp"
#include "join_work.hpp"
#include "lease.hpp"
#include "node_records.hpp"
#include "secret_store.hpp"
#include "unit.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace icos::agent {

/// Brings one unit towards what is wanted, in steps that can be interrupted anywhere (a crash, an engine that
/// goes away) and taken up again from what the engine then shows. A container whose digest is the wanted one
/// is never made anew. A new digest is staged whole before anything of the old one stops; if it does not
/// prove itself, the old one stays or comes back. Loop-confined; must outlive the tasks (they run in the
/// owner's TaskGroup).
class Rollout {
public:
    struct Parts {
        Runtime& runtime;
        Engine& engine;
        NodeRecords& records;
        SecretStore& secrets;
        std::shared_ptr<ImageStore> images;
        std::shared_ptr<Connections> connections;
        const Lease& lease;
        std::string target;
        std::function<void(Unit&)> changed;                                ///< the unit's view may differ now
        std::function<std::string()> architecture;                         ///< of the engine
        std::function<bool(const AppId&, const PlacementId&)> app_in_use;  ///< by another wanted unit
        std::function<std::optional<WallTime>()> time;  ///< the controller's, as far as it is known
    };
    explicit Rollout(Parts parts);

    /// One pass. On an error the unit is as far as it got; the caller tries again later if may_heal(error).
    Task<Result<void>> advance(std::shared_ptr<Unit> unit);
    /// Asks the engine what there is of the unit.
    Task<Result<void>> look(std::shared_ptr<Unit> unit);
    /// Stops what runs of an exclusive placement, because the lease ended; beside whatever pass is under way.
    /// If the engine does not do it in time, it is killed without it.
    Task<Result<void>> interrupt(PlacementId id, Duration grace);

private:
    using UnitPtr = std::shared_ptr<Unit>;
    Task<Result<void>> stop_running(PlacementId id, Duration grace);
    Task<Result<void>> kill_running(PlacementId id, Error why);
    using PlanPtr = std::shared_ptr<const PlacementPlan>;
    struct Context {
        UnitPtr unit;
        PlanPtr plan;
        std::shared_ptr<const DesiredPlacement> wanted;
        std::uint64_t epoch = 0;
        bool superseded() const { return unit->epoch != epoch; }
    };

    // rollout.cpp: the passes
    Task<Result<void>> pass(UnitPtr unit);
    /// Forgets the secrets of generations that no container belongs to any more.
    Task<Result<void>> tidy_secrets(UnitPtr unit);
    Task<Result<void>> bring_up(Context context);
    Task<Result<void>> check_moment(Context context, std::string fallback);
    Task<Result<void>> switch_over(Context context);
    Task<Result<void>> go_back(
        Context context, std::string fallback, std::vector<std::string> stopped, Error why
    );
    Task<Result<void>> hold(UnitPtr unit, std::string digest);
    Task<Result<void>> halt(UnitPtr unit);
    Task<Result<void>> remove(UnitPtr unit);
    Task<Result<void>> remove_belongings(UnitPtr unit);

    // rollout_steps.cpp: what they are made of
    Task<Result<void>> stage_images(Context context, std::map<std::string, std::string>* use);
    Task<Result<void>> provide_surroundings(Context context);
    Task<Result<void>> create_missing(Context context, bool staged);
    Task<Result<void>> create_one(
        Context context, const ContainerPlan* plan, std::string name, boost::json::object body
    );
    Task<> keep_connections(Context context);
    Task<Result<void>> start_in_order(Context context, std::vector<std::string> ids);
    Task<Result<void>> await_dependencies(Context context, const ContainerPlan* plan);
    Task<Result<void>> prove(Context context);
    Task<Result<void>> start_one(UnitPtr unit, std::string id);
    Task<Result<void>> stop_one(std::string id, Duration grace);
    Task<Result<void>> remove_one(std::string id);
    Task<Result<void>> stop_all(UnitPtr unit, std::vector<std::string> ids);
    Task<Result<void>> remove_all(UnitPtr unit, std::vector<std::string> ids);
    Task<> take_final_names(Context context);
    Task<> drop_old_networks(Context context);
    Task<Result<void>> wait_for_change(UnitPtr unit, Duration limit);
    // rollout_exclusive.cpp: what only one node may run
    bool may_start(const Unit& unit) const;
    Task<Result<void>> save_records();
    /// Decides which containers are to be restarted, and shows them as an engine would that does so.
    void judge_restarts(Unit& unit);
    /// Of a container that is shown as restarting: whether it is time.
    bool is_restart_due(Unit& unit, const std::string& id);

    /// Of the containers of `digest`, those that should run and do not.
    std::vector<std::string> to_start(Unit& unit, const std::string& digest);
    void doing(Unit& unit, std::optional<PlacementState> state, std::string progress = {});

    Parts parts_;
    Slots slots_;
    Slots surroundings_;  ///< one at a time: engines take two networks of one name when asked at once
};

/// A component that must not be updated now has this file in one of its containers.
inline constexpr const char* kUpdateLock = "/tmp/icos-update.lock";

/// Whether two generations may run side by side: no fixed host port, no host network, no named volume.
bool may_overlap(const PlacementPlan& plan);

}  // namespace icos::agent
