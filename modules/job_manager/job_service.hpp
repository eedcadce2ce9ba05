// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "credentials.hpp"
#include "error.hpp"
#include "icos/async/backoff.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "icos/bus/bus.hpp"
#include "icos/core/log.hpp"
#include "icos/descriptor/diagnostic.hpp"
#include "icos/module/module.hpp"
#include "icos/ports/claims.hpp"
#include "icos/ports/executor.hpp"
#include "icos/ports/matchmaker.hpp"
#include "icos/ports/topology_view.hpp"
#include "icos/store/store.hpp"
#include "node_losses.hpp"
#include "planning.hpp"
#include "state.hpp"
#include "step.hpp"
#include "turnstile.hpp"
#include "view.hpp"
#include "watchers.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace icos::job_manager {

struct Settings {
    Duration debounce{50};             ///< topology changes within it are planned for together
    Duration pending_refresh{30'000};  ///< reasons of what waits are made anew this often
    Duration drain{10'000};            ///< for connections to a copy that was replaced
    std::size_t keep_generations = 10;
    std::size_t max_waiting = 1024;  ///< changes that wait for their turn to be planned
};

/// What happened so far, for /metrics.
struct Counters {
    std::uint64_t applied = 0;
    std::uint64_t unchanged = 0;
    std::uint64_t refused = 0;  ///< descriptors with errors
    std::uint64_t planned = 0;
    std::uint64_t replanned = 0;  ///< plans thrown away because memory had moved on
    std::uint64_t reports = 0;    ///< of executors
    std::uint64_t dropped = 0;    ///< times memory was reloaded after a failed commit
};

struct ApplyCommand {
    std::string project = "default";
    std::string name{};
    std::string text{};
    std::string actor{};
    std::optional<std::string> if_match{};
    bool dry_run = false;
    AppId only{};                            ///< only if the name still is this application's
    std::optional<std::uint64_t> back_to{};  ///< the generation whose text this is, for the event
};

struct RollbackCommand {
    std::string project = "default";
    std::string name{};
    std::optional<std::uint64_t> generation{};  ///< default: the newest whose text is not the current one
    std::string actor{};
    std::optional<std::string> if_match{};
    bool dry_run = false;
};

enum class ApplyResult { created, updated, unchanged, dry_run };

struct ApplyAnswer {
    ApplyResult result = ApplyResult::created;
    AppId id{};
    std::string etag{};
    boost::json::object app{};  ///< as it is, or would be
    boost::json::array explanations{};
    std::vector<descriptor::Diagnostic> warnings{};
};

/// Owns applications and placements: takes descriptors, has them placed, offers plans to targets, follows
/// what they report until what is wanted runs, or is gone. Memory is changed in one step and queued to the
/// store in the same step; answers, plans and messages go out when the step is durable. Loop-confined.
class JobService final : public ExecutorListener, public ClaimsView {
public:
    struct Ports {
        Runtime& runtime;
        Bus& bus;
        Store& store;
        const Matchmaker& matchmaker;
        const TopologyView& topology;
        Executor& executor;
    };
    JobService(Ports ports, Settings settings);
    ~JobService() override;

    Task<Result<void>> start();
    Task<> stop(Duration deadline);
    Health health() const;
    std::string metrics() const;

    // Commands (apply.cpp, commands.cpp). They resume once durable.
    Task<Result<ApplyAnswer>> apply(ApplyCommand command);
    /// stop, start, delete: `desired` is what is wanted from now on.
    Task<Result<boost::json::object>> set_desired(
        std::string project,
        std::string name,
        Desired desired,
        std::optional<std::string> if_match,
        std::string actor
    );
    /// Applies the text of a kept generation as a new one.
    Task<Result<ApplyAnswer>> roll_back(RollbackCommand command);
    /// app.no_such_generation if it is not kept.
    Task<Result<std::string>> text_of_generation(
        std::string project, std::string name, std::uint64_t generation
    );
    Task<Result<boost::json::object>> set_credential(Credential credential);
    /// app.no_such_credential, app.credential_in_use.
    Task<Result<void>> remove_credential(std::string project, std::string name, std::string actor);
    /// A descriptor as anybody may see it. app.not_maskable.
    Task<Result<std::string>> masked_text(std::string text);
    /// Records that the secrets of a generation were read; what was read may be answered once this returned.
    Task<Result<void>> note_reveal(
        std::string project, std::string name, std::uint64_t generation, std::string actor
    );
    Task<Result<boost::json::array>> explain(std::string project, std::string name, std::string component);

    // Questions.
    const State& state() const noexcept { return state_; }
    const Credentials& credentials() const noexcept { return credentials_; }
    Result<const App*> find(std::string_view project, std::string_view name) const;
    boost::json::object show(const App& app, Detail detail) const;
    std::shared_ptr<const Topology> topology() const { return ports_.topology.current(); }
    const std::map<NodeId, std::string>& problems() const noexcept { return problems_; }
    Watchers& watchers() noexcept { return watchers_; }
    Executor& executor() noexcept { return ports_.executor; }
    std::map<NodeId, ClaimSum> current() const override;

    // Reports (report.cpp).
    void accepted(const TargetId& target, const std::string& digest, const std::string& problem) override;
    void observed(
        const TargetId& target,
        bool full,
        const std::vector<agent::ObservedPlacement>& upsert,
        const std::vector<PlacementId>& removed
    ) override;
    void topology_changed() override;

private:
    struct Outcome;
    struct Loaded;
    using Planned = std::pair<PlaceResult, std::shared_ptr<const Topology>>;

    // Commit rule (job_service.cpp).
    Result<void> check_writable() const;
    std::shared_ptr<Outcome> commit(Step step);
    Task<> finish(
        Task<Result<std::uint64_t>> queued,
        Step step,
        std::vector<std::pair<NodeId, TargetPlan>> plans,
        std::shared_ptr<Outcome> outcome
    );
    static Task<Result<void>> durable(std::shared_ptr<Outcome> outcome);
    void dropped();
    Task<> reload();
    Task<Result<Loaded>> load();
    void adopt_loaded(Loaded loaded);
    void offer_all();
    void offer(const NodeId& node, TargetPlan plan);
    /// Otherwise reports are kept beside memory and taken over by resync(), and nothing is planned unasked.
    bool may_write_by_itself() const noexcept { return is_started_ && !is_reloading_ && holds_ == 0; }
    TargetPlan plan_of(const NodeId& node) const;
    /// The plans that a step changes: of its targets, and where components talk to one that it is about.
    std::vector<std::pair<NodeId, TargetPlan>> plans_after(const Step& step);
    void tell_watchers(const AppId& id);

    // Placing (placing.cpp).
    /// `asked`: somebody waits for the answer.
    enum class Urgency { asked, background };
    /// Off the loop, checked against memory afterwards; on the loop when memory keeps moving, or when a quick
    /// plan is asked for.
    Task<Result<Planned>> place(
        AppId id,
        std::string name,
        std::shared_ptr<const descriptor::Application> wanted,
        std::optional<std::string> expected,
        Urgency urgency
    );
    void adopt(App& app, const PlaceResult& result, const Topology& topology, Step& step);
    void put(App& app, const ReplicaDecision& decision, const Topology& topology, Step& step);
    void wait_for_node(App& app, const ReplicaDecision& decision, Step& step);
    void start_removing(Placement& placement, Step& step);
    /// It runs on until what replaces it is ready.
    void retire(Placement& placement, Step& step);
    /// An exclusive replica waits for its earlier copy to be gone.
    bool is_blocked(
        const App& app, const std::string& component, std::uint32_t replica, const Topology& topology
    ) const;
    bool has_blocked(const App& app, const PlaceResult& result, const Topology& topology) const;
    std::string why_moved(const Placement& home, const App& app, const Topology& topology) const;
    bool remove_if_gone(Placement& placement, Step& step);
    void forget_if_gone(App& app, Step& step);
    void forget_old_revisions(App& app, Step& step);
    void refresh(App& app, Step& step);
    void claims_changed();
    std::set<std::uint64_t> used_generations(const App& app) const;

    // Applying (apply.cpp).
    Result<App*> admit(const ApplyCommand& command);
    Task<Result<ApplyAnswer>> unchanged(ApplyCommand command, ApplyAnswer answer);
    App& accept(
        const ApplyCommand& command,
        std::shared_ptr<const descriptor::Application> application,
        App* existing,
        Step& step
    );
    ApplyAnswer preview(
        const ApplyCommand& command,
        std::shared_ptr<const descriptor::Application> application,
        const App* existing,
        const Planned& planned
    ) const;

    // Secrets (secrets.cpp).
    /// Made when it is first needed, stored with the step that needs it.
    const std::string& digest_key(Step& step);
    std::string content_digest(
        const App& app, const descriptor::Component& component, descriptor::Engine engine, Step& step
    );
    void add_credentials(const App& app, agent::DesiredPlacement& placement) const;
    /// descriptor.invalid for a name that is not stored.
    Result<void> check_credentials(const std::string& project, const descriptor::Application& application)
        const;

    // Moves between nodes (moves.cpp).
    /// Which nodes are to be left, as the topology says now: a node that is back is not among them.
    Leaving leaving(const Topology& topology) const;
    /// Takes note of losses, and of the applications that have to look for other homes.
    void look_at_losses(const Topology& topology, Step& step);
    bool is_moving(const AppId& app) const;  ///< something of it was left and is not given up yet
    /// Ends moves whose new copies are ready, and takes back those whose old node returned first.
    void settle_moves(Step& step);
    void settle_moves(App& app, Step& step);
    /// Whether nobody makes connections to a copy any more whose successor is ready, and those that were made
    /// had time to end.
    bool is_drained(const App& app, Placement& left);
    void take_back(App& app, Placement& left, Placement& home, Step& step);

    // Rolling back (rollback.cpp).
    Task<Result<std::map<std::uint64_t, std::string>>> kept_texts(AppId id);
    Task<Result<std::pair<std::uint64_t, std::string>>> text_before(AppId id);

    // Reconciling (reconcile.cpp).
    Task<> reconcile();
    Task<> place_waiting(AppId id);
    void follow_topology();
    bool anything_waits() const;
    void wake();

    // Reports (report.cpp).
    void take_over(const NodeId& node, const PlacementId& id, Step& step);
    /// What leaves and is not part of the plan that the target holds may be forgotten once nothing of it is
    /// there.
    void confirm(const NodeId& node, Step& step);
    void refresh_touched(Step& step);
    void resync();

    Ports ports_;
    Settings settings_;
    Log log_{"job_manager"};
    State state_;
    Credentials credentials_;
    std::string digest_key_;  ///< empty until something secret is hashed
    std::map<NodeId, Target> targets_;
    std::map<NodeId, std::string> problems_;
    Watchers watchers_;
    Turnstile turnstile_;
    std::uint64_t epoch_ = 0;  ///< grows when claims or what is wanted change
    mutable std::map<NodeId, ClaimSum> claim_sums_;
    mutable std::optional<std::uint64_t> claim_sums_epoch_;
    NodeLosses losses_{NodeLosses::Rules{}};
    std::optional<BootTime> drain_due_;  ///< the next time that a copy may count as drained
    Counters counters_;
    bool is_started_ = false;
    bool is_reloading_ = false;
    bool reload_again_ = false;
    std::size_t holds_ = 0;  ///< reloads whose pause is not over
    std::string reload_problem_;
    Backoff reload_backoff_;
    Signal wake_;
    bool is_dirty_ = true;
    bool topology_moved_ = true;
    bool must_resync_ = false;
    std::shared_ptr<void> on_dropped_;
    TaskGroup tasks_;
};

}  // namespace icos::job_manager
