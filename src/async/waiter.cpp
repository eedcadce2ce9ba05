// SPDX-License-Identifier: Apache-2.0
#include "async/waiter.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace icos::detail {
namespace asio = boost::asio;

Waiter::Waiter(Runtime& runtime) : timer_(runtime.loop(), asio::steady_timer::time_point::max()) {}

void Waiter::wake() {
    if (is_woken_) return;
    is_woken_ = true;
    timer_.cancel();
}

Task<> Waiter::wait_once(std::shared_ptr<Waiter> self) {
    if (self->is_woken_) co_return;
    co_await self->timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

Task<> Waiter::wait(std::shared_ptr<Waiter> self) {
    co_await wait_once(self);
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
}

}  // namespace icos::detail
