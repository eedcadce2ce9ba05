// SPDX-License-Identifier: Apache-2.0
#include "icos/async/all_of.hpp"

#include "async/waiter.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <memory>

namespace icos {
namespace asio = boost::asio;
namespace {

struct Part {
    asio::cancellation_signal cancel{};
    bool has_ended = false;
};

struct Parts {
    explicit Parts(Runtime& runtime) : all_ended(std::make_shared<detail::Waiter>(runtime)) {}
    std::vector<std::unique_ptr<Part>> parts{};
    std::size_t left = 0;
    std::exception_ptr failure{};
    std::shared_ptr<detail::Waiter> all_ended;

    void end(Part& part, const std::exception_ptr& why) {
        part.has_ended = true;
        if (!failure) failure = why;
        if (--left == 0) all_ended->wake();
    }
    void abort() {
        for (const auto& part : parts) {
            if (!part->has_ended) part->cancel.emit(asio::cancellation_type::terminal);
        }
    }
};

}  // namespace

Task<> all_of(Runtime& runtime, std::vector<Task<>> tasks) {
    if (tasks.empty()) co_return;
    if (tasks.size() == 1) {
        co_await std::move(tasks.front());
        co_return;
    }
    const auto state = std::make_shared<Parts>(runtime);
    state->left = tasks.size();
    for (Task<>& task : tasks) {
        Part* part = state->parts.emplace_back(std::make_unique<Part>()).get();
        auto on_end = [state, part](std::exception_ptr failure) { state->end(*part, failure); };
        asio::co_spawn(
            runtime.loop(), std::move(task), asio::bind_cancellation_slot(part->cancel.slot(), on_end)
        );
    }
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!state->all_ended->is_woken()) {
        co_await detail::Waiter::wait_once(state->all_ended);
        if (!state->all_ended->is_woken()) state->abort();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);

    const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    if (state->failure) std::rethrow_exception(state->failure);
}

}  // namespace icos
