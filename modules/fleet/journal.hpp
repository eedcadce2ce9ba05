// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fleet_state.hpp"
#include "icos/async/task_group.hpp"
#include "icos/bus/bus.hpp"
#include "icos/core/log.hpp"
#include "icos/messages/topology.hpp"
#include "icos/store/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace icos::fleet {

/// Keeps memory and store in step (design: the commit rule). A service changes `state()` and calls `write` in
/// the same step; when a write fails, everything after it is dropped with it and memory is loaded anew.
/// Loop-confined.
class Journal {
public:
    /// References must outlive it. `on_reload` runs after memory was replaced.
    Journal(Runtime& runtime, Store& store, Bus& bus, TaskGroup& tasks, std::function<void()> on_reload);

    FleetState& state() noexcept { return state_; }
    const FleetState& state() const noexcept { return state_; }
    /// Loads everything; once, before anything else.
    Task<Result<void>> load();
    /// Whether changes may be made: store.busy while memory is being loaded after a failed write.
    Result<void> check_writable() const;
    bool is_writable() const noexcept { return !reloading_; }

    /// Queues now; resumes once durable, after `changed` was published.
    [[nodiscard]] Task<Result<std::uint64_t>> write(
        ChangeSet changes, std::vector<messages::NodeChanged> changed = {}
    );
    /// The same when nobody waits for the outcome.
    void write_behind(ChangeSet changes, std::vector<messages::NodeChanged> changed = {});
    /// Resumes when everything queued before is durable.
    Task<Result<void>> settled();

private:
    Task<Result<StoredFleet>> read();
    Task<> reload();
    void dropped();
    static Task<Result<std::uint64_t>> finish(
        Bus& bus, Task<Result<std::uint64_t>> commit, std::vector<messages::NodeChanged> then
    );
    static Task<> forget(Task<Result<std::uint64_t>> commit);

    Runtime& runtime_;
    Store& store_;
    Bus& bus_;
    TaskGroup& tasks_;
    std::function<void()> on_reload_;
    Log log_{"fleet"};
    FleetState state_;
    bool reloading_ = false;
    bool reload_again_ = false;
    std::shared_ptr<void> on_dropped_;
};

messages::NodeChanged changed(const NodeEntry& entry);
Change upsert(const NodeRecord& record);
Change upsert(const Token& token);

}  // namespace icos::fleet
