// SPDX-License-Identifier: Apache-2.0
#include "icos/bus/bus.hpp"

#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <vector>

namespace icos {
namespace {

/// One subscriber: its queue and what to do with a message. Shared by the token, the bus and the task that
/// serves it.
struct Subscription {
    Subscription(Runtime& runtime, std::string n, std::size_t c, Overflow o)
        : name(std::move(n)), capacity(std::max<std::size_t>(c, 1)), overflow(o), arrived(runtime) {}

    std::string name;
    std::size_t capacity;
    Overflow overflow;
    std::function<Task<>(std::shared_ptr<const void>)> handler{};
    std::deque<std::shared_ptr<const void>> queue{};
    std::uint64_t dropped = 0;
    bool is_closed = false;
    Signal arrived;
};

Task<> serve(std::shared_ptr<Subscription> subscription) {
    while (!subscription->is_closed) {
        if (subscription->queue.empty()) {
            co_await subscription->arrived.wait();
            continue;
        }
        std::shared_ptr<const void> message = std::move(subscription->queue.front());
        subscription->queue.pop_front();
        try {
            co_await subscription->handler(std::move(message));
        } catch (const boost::system::system_error& error) {
            if (error.code() == boost::asio::error::operation_aborted) throw;
            Log("bus").error(
                "a subscriber failed", {{"subscriber", subscription->name}, {"reason", error.what()}}
            );
        } catch (const std::exception& error) {
            // One bad message must not silence the subscriber for good.
            Log("bus").error(
                "a subscriber failed", {{"subscriber", subscription->name}, {"reason", error.what()}}
            );
        }
    }
}

}  // namespace

struct Bus::Impl {
    explicit Impl(Runtime& r) : runtime(r), tasks(r) {}

    Runtime& runtime;
    TaskGroup tasks;
    /// In the order of subscription, so that delivery is reproducible.
    std::unordered_map<std::type_index, std::vector<std::shared_ptr<Subscription>>> by_type;
    std::uint64_t dropped = 0;
    bool is_stopped = false;

    void close(const std::type_index& type, const std::shared_ptr<Subscription>& subscription) {
        subscription->is_closed = true;
        subscription->queue.clear();
        subscription->arrived.notify();
        std::erase(by_type[type], subscription);
    }

    void offer(Subscription& to, const std::shared_ptr<const void>& message) {
        if (to.queue.size() >= to.capacity) {
            ++dropped;
            // Powers of two: an overflow that lasts does not fill the log.
            if ((++to.dropped & (to.dropped - 1)) == 0) {
                Log("bus").warning(
                    "a subscription is full", {{"subscriber", to.name}, {"dropped", to.dropped}}
                );
            }
            if (to.overflow == Overflow::drop_newest) return;
            to.queue.pop_front();
        }
        to.queue.push_back(message);
        to.arrived.notify();
    }
};

Bus::Bus(Runtime& runtime) : impl_(std::make_shared<Impl>(runtime)) {}

Bus::~Bus() {
    impl_->is_stopped = true;
}

void Bus::publish_erased(std::type_index type, std::shared_ptr<const void> message) {
    if (impl_->is_stopped) return;
    const auto found = impl_->by_type.find(type);
    if (found == impl_->by_type.end()) return;
    for (const auto& subscription : found->second) impl_->offer(*subscription, message);
}

std::shared_ptr<void> Bus::subscribe_erased(
    std::type_index type, std::string name, std::size_t capacity, Overflow overflow, ErasedHandler handler
) {
    auto subscription = std::make_shared<Subscription>(impl_->runtime, std::move(name), capacity, overflow);
    subscription->handler = std::move(handler);
    impl_->by_type[type].push_back(subscription);
    impl_->tasks.spawn("bus." + subscription->name, serve(subscription));
    // The token may outlive the bus: it holds no more than a weak reference.
    auto end = [impl = std::weak_ptr<Impl>(impl_), type, subscription](void*) {
        if (const auto alive = impl.lock()) {
            alive->close(type, subscription);
        } else {
            subscription->is_closed = true;
        }
    };
    return {subscription.get(), end};
}

std::uint64_t Bus::dropped() const noexcept {
    return impl_->dropped;
}

Task<> Bus::stop(Duration deadline) {
    impl_->is_stopped = true;
    const bool drained = co_await impl_->tasks.stop(deadline);
    if (!drained)
        Log("bus").warning("handlers still run after the deadline", {{"handlers", impl_->tasks.size()}});
}

}  // namespace icos
