// SPDX-License-Identifier: Apache-2.0
#include "icos/async/signal.hpp"

#include "async/waiter.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <vector>

namespace icos {

struct Signal::Impl {
    explicit Impl(Runtime& r) : runtime(r) {}

    Runtime& runtime;
    std::vector<std::shared_ptr<detail::Waiter>> waiters;  ///< in the order of their waits
    bool is_closed = false;

    void wake_all() {
        const auto woken = std::move(waiters);
        waiters.clear();
        for (const auto& waiter : woken) waiter->wake();
    }

    void forget(const std::shared_ptr<detail::Waiter>& waiter) { std::erase(waiters, waiter); }
};

namespace {

/// Takes the waiter out of the list however the wait ends, also when its frame is destroyed.
template <class Impl>
class Registration {
public:
    Registration(std::shared_ptr<Impl> impl, std::shared_ptr<detail::Waiter> waiter)
        : impl_(std::move(impl)), waiter_(std::move(waiter)) {
        impl_->waiters.push_back(waiter_);
    }
    ~Registration() { impl_->forget(waiter_); }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

private:
    std::shared_ptr<Impl> impl_;
    std::shared_ptr<detail::Waiter> waiter_;
};

[[noreturn]] void throw_aborted() {
    throw boost::system::system_error(boost::asio::error::operation_aborted);
}

// The coroutines hold the shared state, never the Signal, which may go while they wait.
template <class Impl>
Task<> wait_on(std::shared_ptr<Impl> impl) {
    if (impl->is_closed) throw_aborted();
    const auto waiter = std::make_shared<detail::Waiter>(impl->runtime);
    const Registration<Impl> registration(impl, waiter);
    co_await detail::Waiter::wait(waiter);
    if (impl->is_closed) throw_aborted();
}

template <class Impl>
Task<bool> wait_on_for(std::shared_ptr<Impl> impl, Duration limit) {
    if (impl->is_closed) throw_aborted();
    const auto waiter = std::make_shared<detail::Waiter>(impl->runtime);
    const Registration<Impl> registration(impl, waiter);
    const auto has_timed_out = std::make_shared<bool>(false);
    std::function<void()> on_time = [waiter, has_timed_out] {
        if (waiter->is_woken()) return;
        *has_timed_out = true;
        waiter->wake();
    };
    const std::unique_ptr<Timer> timer = impl->runtime.schedule(limit, std::move(on_time));
    co_await detail::Waiter::wait(waiter);
    if (impl->is_closed) throw_aborted();
    co_return !*has_timed_out;
}

}  // namespace

Signal::Signal(Runtime& runtime) : impl_(std::make_shared<Impl>(runtime)) {}

Signal::~Signal() {
    impl_->is_closed = true;
    impl_->wake_all();
}

void Signal::notify() {
    impl_->wake_all();
}

Task<> Signal::wait() {
    return wait_on(impl_);
}

Task<bool> Signal::wait_for(Duration limit) {
    return wait_on_for(impl_, limit);
}

}  // namespace icos
