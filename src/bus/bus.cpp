// SPDX-License-Identifier: Apache-2.0
#include "icos/bus/bus.hpp"

#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <deque>
#include <map>
#include <vector>

namespace icos {
namespace {

struct Subscription {
    Subscription(Runtime& runtime, std::string n, std::size_t c, Overflow o)
        : name(std::move(n)), capacity(c), overflow(o), arrived(runtime) {}
    std::string name;
    std::size_t capacity;
    Overflow overflow;
    std::function<Task<>(std::shared_ptr<const void>)> handler;
    std::deque<std::shared_ptr<const void>> queue;
    Signal arrived;
    bool ended = false;
};

Task<> deliver(std::shared_ptr<Subscription> subscription) {
    for (;;) {
        while (subscription->queue.empty() && !subscription->ended) co_await subscription->arrived.wait();
        if (subscription->ended) co_return;
        std::shared_ptr<const void> message = std::move(subscription->queue.front());
        subscription->queue.pop_front();
        // One bad message must not end the subscription; a cancelled task must.
        try {
            co_await subscription->handler(std::move(message));
        } catch (const boost::system::system_error& error) {
            if (error.code() == boost::asio::error::operation_aborted) throw;
            Log("bus").error(
                "a subscriber failed", {{"subscription", subscription->name}, {"error", error.what()}}
            );
        } catch (const std::exception& error) {
            Log("bus").error(
                "a subscriber failed", {{"subscription", subscription->name}, {"error", error.what()}}
            );
        }
    }
}

}  // namespace

struct Bus::Impl {
    explicit Impl(Runtime& r) : runtime(r), tasks(r) {}
    Runtime& runtime;
    TaskGroup tasks;
    std::map<std::type_index, std::vector<std::weak_ptr<Subscription>>> subscriptions;
    std::uint64_t dropped = 0;
};

Bus::Bus(Runtime& runtime) : impl_(std::make_shared<Impl>(runtime)) {}
Bus::~Bus() = default;

std::uint64_t Bus::dropped() const noexcept {
    return impl_->dropped;
}

Task<> Bus::stop(Duration deadline) {
    co_await impl_->tasks.stop(deadline);
}

void Bus::publish_erased(std::type_index type, std::shared_ptr<const void> message) {
    const auto found = impl_->subscriptions.find(type);
    if (found == impl_->subscriptions.end()) return;
    std::erase_if(found->second, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : found->second) {
        const std::shared_ptr<Subscription> subscription = weak.lock();
        if (subscription->ended) continue;
        if (subscription->queue.size() >= subscription->capacity) {
            ++impl_->dropped;
            Log("bus").debug("a subscription is full", {{"subscription", subscription->name}});
            if (subscription->overflow == Overflow::drop_newest) continue;
            subscription->queue.pop_front();
        }
        subscription->queue.push_back(message);
        subscription->arrived.notify();
    }
}

std::shared_ptr<void> Bus::subscribe_erased(
    std::type_index type, std::string name, std::size_t capacity, Overflow overflow, ErasedHandler handler
) {
    auto subscription = std::make_shared<Subscription>(impl_->runtime, name, capacity, overflow);
    subscription->handler = std::move(handler);
    impl_->subscriptions[type].push_back(subscription);
    impl_->tasks.spawn("bus." + name, deliver(subscription));
    return std::shared_ptr<void>(nullptr, [subscription](void*) {
        subscription->ended = true;
        subscription->arrived.notify();
    });
}

}  // namespace icos
