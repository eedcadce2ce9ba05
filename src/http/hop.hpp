// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace icos::http {

/// The cancellation of one coroutine that runs on another executor than who waits for it. `co_spawn` offers
/// the same by its token, but in Boost 1.81 passes a bare pointer to the other executor, which may outlive
/// what it points to.
class HopControl : public std::enable_shared_from_this<HopControl> {
public:
    explicit HopControl(boost::asio::any_io_executor target) : target_(std::move(target)) {}

    /// Any thread. Does nothing once the coroutine has ended.
    void cancel() {
        boost::asio::post(target_, [self = shared_from_this()] {
            self->is_cancelled_ = true;
            if (self->is_running_) self->signal_.emit(boost::asio::cancellation_type::terminal);
        });
    }

    const boost::asio::any_io_executor& target() const { return target_; }

    /// On the target.
    boost::asio::cancellation_slot begin() {
        is_running_ = true;
        return signal_.slot();
    }
    void end() { is_running_ = false; }
    bool is_cancelled() const { return is_cancelled_; }

private:
    const boost::asio::any_io_executor target_;
    boost::asio::cancellation_signal signal_;
    bool is_running_ = false;
    bool is_cancelled_ = false;
};

template <class T>
struct HopOutcome {
    std::exception_ptr failure{};
    T value{};
};

/// Runs `task` on the control's target and resumes with its outcome on the executor of the caller. Cancelling
/// the caller or the control cancels the task; it is waited for all the same.
template <class T>
Task<HopOutcome<T>> hop(std::shared_ptr<HopControl> control, Task<T> task) {
    constexpr auto token = boost::asio::as_tuple(boost::asio::use_awaitable);
    auto initiate = [control](auto handler, Task<T> work) {
        const auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
            boost::asio::cancellation_slot(slot).assign([control](boost::asio::cancellation_type) {
                control->cancel();
            });
        }
        const auto back = boost::asio::get_associated_executor(handler);
        auto deliver = [back, held = std::move(handler)](std::exception_ptr failure, T value) mutable {
            boost::asio::post(back, [held = std::move(held), failure, value = std::move(value)]() mutable {
                std::move(held)(failure, std::move(value));
            });
        };
        auto start = [control, deliver = std::move(deliver), work = std::move(work)]() mutable {
            auto on_end = [control,
                           deliver = std::move(deliver)](std::exception_ptr failure, T value) mutable {
                control->end();
                deliver(failure, std::move(value));
            };
            boost::asio::co_spawn(
                control->target(),
                std::move(work),
                boost::asio::bind_cancellation_slot(control->begin(), std::move(on_end))
            );
            // Cancelled before it began: the task is told at its first wait.
            if (control->is_cancelled()) control->cancel();
        };
        boost::asio::post(control->target(), std::move(start));
    };
    auto [failure, value] =
        co_await boost::asio::async_initiate<decltype(token), void(std::exception_ptr, T)>(
            std::move(initiate), token, std::move(task)
        );
    co_return HopOutcome<T>{failure, std::move(value)};
}

}  // namespace icos::http
