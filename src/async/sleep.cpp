// SPDX-License-Identifier: Apache-2.0
#include "async/waiter.hpp"
#include "icos/async/runtime.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <exception>

namespace icos {
namespace asio = boost::asio;

Task<> sleep_for(Runtime& runtime, Duration duration) {
    const auto waiter = std::make_shared<detail::Waiter>(runtime);
    std::function<void()> on_time = [waiter] { waiter->wake(); };
    const std::unique_ptr<Timer> timer = runtime.schedule(duration, std::move(on_time));
    co_await detail::Waiter::wait(waiter);
}

namespace {

struct LimitedWork {
    explicit LimitedWork(Runtime& runtime) : finished(std::make_shared<detail::Waiter>(runtime)) {}
    std::shared_ptr<detail::Waiter> finished;
    asio::cancellation_signal cancel{};
    std::exception_ptr failure{};
    bool has_timed_out = false;

    void abort() {
        if (!finished->is_woken()) cancel.emit(asio::cancellation_type::terminal);
    }
};

bool is_aborted(const std::exception_ptr& failure) {
    try {
        if (failure) std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
    return false;
}

}  // namespace

Task<bool> finish_within(Runtime& runtime, Duration limit, Task<> work) {
    const auto state = std::make_shared<LimitedWork>(runtime);
    auto on_end = [state](std::exception_ptr failure) {
        state->failure = failure;
        state->finished->wake();
    };
    asio::co_spawn(
        runtime.loop(), std::move(work), asio::bind_cancellation_slot(state->cancel.slot(), on_end)
    );
    std::function<void()> on_time = [state] {
        state->has_timed_out = true;
        state->abort();
    };
    const std::unique_ptr<Timer> timer = runtime.schedule(limit, std::move(on_time));

    // The work is waited for even when this task is cancelled: what it refers to must outlive it.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!state->finished->is_woken()) {
        co_await detail::Waiter::wait_once(state->finished);
        if (!state->finished->is_woken()) state->abort();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);

    const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    if (state->failure && !(state->has_timed_out && is_aborted(state->failure))) {
        std::rethrow_exception(state->failure);
    }
    co_return !state->has_timed_out;
}

}  // namespace icos
