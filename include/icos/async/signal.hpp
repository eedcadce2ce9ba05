// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"
#include "icos/core/time.hpp"

#include <memory>

namespace icos {
class Runtime;

/// A condition variable for coroutines of one loop. Level is kept by the caller: check the condition in a
/// loop, `while (!ready) co_await signal.wait();`. Loop-confined. Destroying it cancels the waiters.
class Signal {
public:
    explicit Signal(Runtime& runtime);
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    /// Resumes every coroutine that waits now; remembers nothing for later ones.
    void notify();
    /// Until the next notify(). Throws system_error(operation_aborted) when the task is cancelled.
    Task<> wait();
    /// As wait(), at most `limit`. False if the time ran out.
    Task<bool> wait_for(Duration limit);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace icos
