// SPDX-License-Identifier: Apache-2.0
#include "manual_runtime.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <stdexcept>

namespace icos::test {
namespace asio = boost::asio;

struct ManualRuntime::Queue {
    using Key = std::pair<BootTime, std::uint64_t>;  // equal times fire in the order they were scheduled
    std::map<Key, std::function<void()>> due;
    std::uint64_t next_number = 0;
};

class ManualRuntime::ManualTimer final : public Timer {
public:
    ManualTimer(std::weak_ptr<Queue> queue, Queue::Key key) : queue_(std::move(queue)), key_(key) {}
    ~ManualTimer() override {
        if (const auto queue = queue_.lock()) queue->due.erase(key_);
    }
    ManualTimer(const ManualTimer&) = delete;
    ManualTimer& operator=(const ManualTimer&) = delete;

private:
    std::weak_ptr<Queue> queue_;
    Queue::Key key_;
};

ManualRuntime::ManualRuntime(std::uint64_t seed)
    : timers_(std::make_shared<Queue>()),
      wall_(from_ms(1'795'492'800'000)),  // 2026-11-24T04:00:00Z
      boot_(std::chrono::hours(1)),
      random_(seed) {}

ManualRuntime::~ManualRuntime() = default;

asio::any_io_executor ManualRuntime::loop() {
    return context_.get_executor();
}

std::unique_ptr<Timer> ManualRuntime::schedule(Duration after, std::function<void()> callback) {
    const Queue::Key key{boot_ + std::max(after, Duration{0}), timers_->next_number++};
    timers_->due.emplace(key, std::move(callback));
    return std::make_unique<ManualTimer>(timers_, key);
}

void ManualRuntime::random_bytes(std::span<std::byte> out) {
    for (std::byte& byte : out) byte = static_cast<std::byte>(random_() & 0xFFU);
}

Task<> ManualRuntime::run_on(Pool /*pool*/, std::function<void()> work) {
    const asio::any_io_executor executor = loop();
    auto initiate = [executor, work = std::move(work)](auto handler) mutable {
        asio::post(executor, [executor, work = std::move(work), handler = std::move(handler)]() mutable {
            std::exception_ptr failure;
            try {
                work();
            } catch (...) {
                failure = std::current_exception();
            }
            work = nullptr;
            asio::post(executor, [handler = std::move(handler), failure]() mutable {
                std::move(handler)(failure);
            });
        });
    };
    auto token = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
    co_await asio::async_initiate<decltype(token), void(std::exception_ptr)>(std::move(initiate), token);
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
}

void ManualRuntime::fire_next() {
    auto node = timers_->due.extract(timers_->due.begin());
    if (node.key().first > boot_) {
        wall_ += std::chrono::duration_cast<Duration>(node.key().first - boot_);
        boot_ = node.key().first;
    }
    // Posted, so that it runs on the loop as in production.
    asio::post(context_, std::move(node.mapped()));
    context_.restart();
    context_.poll();
}

void ManualRuntime::run_until_idle() {
    context_.restart();
    context_.poll();
    while (!timers_->due.empty() && timers_->due.begin()->first.first <= boot_) fire_next();
}

void ManualRuntime::advance(Duration by) {
    run_until_idle();
    const BootTime end = boot_ + by;
    while (!timers_->due.empty() && timers_->due.begin()->first.first <= end) fire_next();
    wall_ += std::chrono::duration_cast<Duration>(end - boot_);
    boot_ = end;
}

std::optional<BootTime> ManualRuntime::next_timer() const {
    if (timers_->due.empty()) return std::nullopt;
    return timers_->due.begin()->first.first;
}

void ManualRuntime::run_to_end(Task<> task, Duration limit) {
    struct Outcome {
        bool has_ended = false;
        std::exception_ptr failure;
    };
    const auto outcome = std::make_shared<Outcome>();
    asio::co_spawn(context_, std::move(task), [outcome](std::exception_ptr failure) {
        outcome->has_ended = true;
        outcome->failure = failure;
    });
    const BootTime end = boot_ + limit;
    run_until_idle();
    while (!outcome->has_ended) {
        if (timers_->due.empty()) throw std::logic_error("the task waits for something that never happens");
        if (timers_->due.begin()->first.first > end)
            throw std::logic_error("the task did not end within its limit");
        fire_next();
    }
    if (outcome->failure) std::rethrow_exception(outcome->failure);
}

}  // namespace icos::test
