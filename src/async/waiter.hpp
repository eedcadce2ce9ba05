// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"

#include <boost/asio/steady_timer.hpp>

namespace icos::detail {

/// One coroutine's wait for one event, the primitive under Signal, sleep_for and TaskGroup::stop. The timer
/// never expires: time comes from Runtime::schedule only, so that it works under virtual time. Loop-confined.
class Waiter {
public:
    explicit Waiter(Runtime& runtime);
    /// Resumes the waiting coroutine, or lets its next wait return at once.
    void wake();
    bool is_woken() const noexcept { return is_woken_; }

    /// Until wake(). Throws operation_aborted when the task is cancelled.
    static Task<> wait(std::shared_ptr<Waiter> self);
    /// One suspension that ends by wake() or by cancellation, without throwing for the latter if
    /// this_coro::throw_if_cancelled is off.
    static Task<> wait_once(std::shared_ptr<Waiter> self);

private:
    boost::asio::steady_timer timer_;
    bool is_woken_ = false;
};

}  // namespace icos::detail
