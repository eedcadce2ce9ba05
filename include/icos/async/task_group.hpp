// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"
#include "icos/core/time.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace icos {
class Runtime;

/// Owns the coroutines an object starts, on the runtime's loop. Loop-confined. Everything that runs in the
/// background runs in a TaskGroup: nothing is detached.
class TaskGroup {
public:
    explicit TaskGroup(Runtime& runtime);
    /// Cancels what still runs; prefer `stop()`, which also waits.
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Starts `task` (posted, never inline). An exception that escapes it is logged under `name`;
    /// `operation_aborted` is not. Does nothing once `stop()` or `cancel()` was called.
    void spawn(std::string_view name, Task<> task);
    /// Asks every task to stop (terminal cancellation) without waiting.
    void cancel();
    /// Cancels everything and resumes once all tasks have finished. False if `deadline` passed first.
    Task<bool> stop(Duration deadline);
    std::size_t size() const noexcept;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace icos
