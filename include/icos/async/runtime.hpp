// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"
#include "icos/core/time.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace icos {

/// Threads beside the control loop that blocking or heavy work goes to.
enum class Pool {
    storage,   ///< one thread: the only one that writes to disk
    compute,   ///< placement, parsing, exports over immutable snapshots
    blocking,  ///< name resolution, child processes
};

/// A running timer; destroying it cancels it.
class Timer {
public:
    virtual ~Timer() = default;
};

/// The seam to time, randomness, threads and the control loop. Modules and the agent's logic reach these only
/// through it, so that tests/simulation can replace them. Members are called on the control loop unless said.
class Runtime {
public:
    virtual ~Runtime() = default;

    virtual boost::asio::any_io_executor loop() = 0;
    virtual WallTime wall() const = 0;  ///< any thread
    virtual BootTime boot() const = 0;  ///< any thread
    /// Runs `callback` on the loop after `after` (0 = as soon as possible, never inline).
    virtual std::unique_ptr<Timer> schedule(Duration after, std::function<void()> callback) = 0;
    /// Cryptographically strong in production, seeded in simulation.
    virtual void random_bytes(std::span<std::byte> out) = 0;
    /// Runs `work` on `pool`, then resumes the caller on the loop. An exception of `work` is rethrown to the
    /// caller. Not cancellable: a cancelled caller resumes with operation_aborted once the work has ended.
    virtual Task<> run_on(Pool pool, std::function<void()> work) = 0;
};

/// Resumes after `duration`; throws system_error(operation_aborted) when the task is cancelled.
Task<> sleep_for(Runtime& runtime, Duration duration);
/// Runs `work` for at most `limit` and cancels it then; false if the time ran out. Only for cancellable work.
Task<bool> finish_within(Runtime& runtime, Duration limit, Task<> work);

std::uint64_t random_u64(Runtime& runtime);
/// RFC 9562 version 4, lower case.
std::string make_uuid(Runtime& runtime);
/// `bytes` random bytes in lower-case hex.
std::string random_hex(Runtime& runtime, std::size_t bytes);

/// Runs `work` on `pool` and returns its result on the loop. Copy or move everything `work` needs into it.
template <class Work>
Task<std::invoke_result_t<Work&>> offload(Runtime& runtime, Pool pool, Work work) {
    using Value = std::invoke_result_t<Work&>;
    if constexpr (std::is_void_v<Value>) {
        // Shared, because a cancelled caller's frame may go before the work has ended.
        auto shared = std::make_shared<Work>(std::move(work));
        std::function<void()> erased = [shared] { (*shared)(); };
        co_await runtime.run_on(pool, std::move(erased));
    } else {
        auto shared = std::make_shared<std::pair<Work, std::optional<Value>>>(std::move(work), std::nullopt);
        std::function<void()> erased = [shared] { shared->second.emplace(shared->first()); };
        co_await runtime.run_on(pool, std::move(erased));
        co_return std::move(*shared->second);
    }
}

}  // namespace icos
