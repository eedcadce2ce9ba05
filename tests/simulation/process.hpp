// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "world.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace icos::sim {

/// What the processes of one machine share: its clocks, and how slow its disk is now.
struct Machine {
    std::string name{};
    SimTime booted_at{};
    std::string boot_id{};
    std::chrono::milliseconds wall_at_start{1'790'000'000'000};  ///< civil time when the world began
    std::uint64_t disk_slowness = 1;                             ///< factor of the storage delays
};

/// One simulated operating system process, as its `Runtime`: an io_context of its own that the world polls,
/// timers of virtual time, pools whose work takes a seeded while and never completes inline.
///
/// A process dies by `begin_dying`: from then on its timers and pool work run in a time of its own, which the
/// world never sees, so that its objects can be stopped and destroyed in order.
class SimProcess final : public Runtime {
public:
    SimProcess(World& world, Machine& machine, std::string name);
    ~SimProcess() override;
    SimProcess(const SimProcess&) = delete;
    SimProcess& operator=(const SimProcess&) = delete;

    boost::asio::any_io_executor loop() override { return context_.get_executor(); }
    WallTime wall() const override;
    BootTime boot() const override;
    std::unique_ptr<Timer> schedule(Duration after, std::function<void()> callback) override;
    void random_bytes(std::span<std::byte> out) override;
    Task<> run_on(Pool pool, std::function<void()> work) override;

    World& world() noexcept { return world_; }
    Machine& machine() noexcept { return machine_; }
    const std::string& name() const noexcept { return name_; }
    bool dead() const noexcept { return dead_; }

    /// Runs `action` on this process's loop after `delay`; the way in for everything outside of it.
    EventKey deliver(SimTime delay, std::function<void()> action);
    void cancel(const EventKey& key);
    /// Resumes after `delay` and cannot be cancelled.
    Task<> pause(SimTime delay);
    /// Runs a task to its end in the background; an exception that escapes it breaks the run.
    void spawn(std::string what, Task<> task);

    /// Calls `crash` between two of its handlers: after `handlers` more of them, or (0) after the present
    /// one.
    void arm_crash(std::uint64_t handlers, std::function<void()> crash);
    void disarm_crash() { crash_ = nullptr; }
    bool crash_is_due();
    void crash();

    void begin_dying();
    /// Runs what is left of a dying process until `done`. False if it does not get there.
    bool drain(const std::function<bool()>& done);

    /// One handler; false if none is ready.
    bool run_one();

private:
    friend class World;
    class SimTimer;
    struct Job;
    SimTime now() const noexcept { return dead_ ? private_now_ : world_.now(); }
    SimTime pool_delay(Pool pool);
    void start_job(Pool pool, std::shared_ptr<Job> job, std::function<void()> resume);

    World& world_;
    Machine& machine_;
    std::string name_;
    Rng rng_;
    bool dead_ = false;
    bool queued_ = false;
    SimTime private_now_{};
    std::uint64_t private_sequence_ = 0;
    std::map<EventKey, std::function<void()>> private_events_;
    SimTime storage_free_at_{};
    std::uint64_t crash_after_ = 0;
    std::function<void()> crash_;
    boost::asio::io_context context_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
};

}  // namespace icos::sim
