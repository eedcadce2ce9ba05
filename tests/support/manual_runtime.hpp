// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <random>

namespace icos::test {

/// A Runtime whose time moves only when told, for unit tests of one process. Everything runs on the calling
/// thread, inside `run_until_idle`, `advance` and `run`. Pool work is posted to the loop, never run inline.
class ManualRuntime final : public Runtime {
public:
    explicit ManualRuntime(std::uint64_t seed = 1);
    ~ManualRuntime() override;
    ManualRuntime(const ManualRuntime&) = delete;
    ManualRuntime& operator=(const ManualRuntime&) = delete;

    boost::asio::any_io_executor loop() override;
    WallTime wall() const override { return wall_; }
    BootTime boot() const override { return boot_; }
    std::unique_ptr<Timer> schedule(Duration after, std::function<void()> callback) override;
    void random_bytes(std::span<std::byte> out) override;
    Task<> run_on(Pool pool, std::function<void()> work) override;

    /// Runs what is ready, without letting time pass.
    void run_until_idle();
    /// Lets `by` pass on both clocks: each timer due fires at its time, and what it made ready runs before
    /// the next.
    void advance(Duration by);
    /// Time of the next timer, if there is one.
    std::optional<BootTime> next_timer() const;
    /// Moves the wall clock alone (a step by NTP, a board without a clock).
    void set_wall(WallTime wall) { wall_ = wall; }

    /// Runs `task` to its end on the loop and rethrows its exception. When nothing is ready, time passes to
    /// the next timer. Throws logic_error if the task can never end, or not within `limit` of virtual time.
    void run_to_end(Task<> task, Duration limit = std::chrono::hours(1));

private:
    class ManualTimer;
    struct Queue;
    void fire_next();

    boost::asio::io_context context_{1};
    std::shared_ptr<Queue> timers_;
    WallTime wall_;
    BootTime boot_;
    std::mt19937_64 random_;
};

}  // namespace icos::test
