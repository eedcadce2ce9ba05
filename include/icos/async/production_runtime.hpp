// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <memory>

namespace icos {

/// The Runtime of the programs: one io_context as control loop, and pools whose threads start when they are
/// first used. The thread that calls `run()` is the loop. Create it in main, destroy it there after
/// everything that uses it. The destructor waits for pool work that already runs and drops what is queued.
class ProductionRuntime final : public Runtime {
public:
    struct Settings {
        std::size_t io_threads = 0;  ///< threads for sockets and TLS; 0 = they share the control loop (agent)
        std::size_t compute_threads = 2;
        std::size_t blocking_threads = 2;
    };
    explicit ProductionRuntime(Settings settings);
    ~ProductionRuntime() override;
    ProductionRuntime(const ProductionRuntime&) = delete;
    ProductionRuntime& operator=(const ProductionRuntime&) = delete;

    /// Runs the loop until `stop()`. An exception that escapes a callback is logged, the loop goes on.
    void run();
    /// Ends `run()` once the callback in progress returns. Any thread.
    void stop();

    /// Executor for sockets and TLS: its own pool, or the loop when `io_threads` is 0. Any thread.
    boost::asio::any_io_executor io();

    boost::asio::any_io_executor loop() override;  ///< any thread
    WallTime wall() const override;
    BootTime boot() const override;
    std::unique_ptr<Timer> schedule(Duration after, std::function<void()> callback) override;
    void random_bytes(std::span<std::byte> out) override;  ///< any thread
    Task<> run_on(Pool pool, std::function<void()> work) override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace icos
