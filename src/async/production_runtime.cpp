// SPDX-License-Identifier: Apache-2.0
#include "icos/async/production_runtime.hpp"

#include "icos/core/log.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cerrno>
#include <ctime>
#include <exception>
#include <mutex>
#include <sys/random.h>

namespace icos {
namespace asio = boost::asio;

namespace {

/// A pool whose threads start with its first work: an idle agent keeps one thread.
class LazyPool {
public:
    explicit LazyPool(std::size_t threads) : threads_(threads) {}
    ~LazyPool() {
        if (!pool_) return;
        pool_->stop();
        pool_->join();
    }
    LazyPool(const LazyPool&) = delete;
    LazyPool& operator=(const LazyPool&) = delete;

    asio::any_io_executor executor() {
        const std::lock_guard lock(mutex_);
        if (!pool_) pool_ = std::make_unique<asio::thread_pool>(threads_);
        return pool_->get_executor();
    }

private:
    std::size_t threads_;
    std::mutex mutex_;
    std::unique_ptr<asio::thread_pool> pool_;
};

class SteadyTimer final : public Timer {
public:
    SteadyTimer(asio::io_context& loop, Duration after, std::function<void()> callback)
        : state_(std::make_shared<State>(loop)) {
        state_->callback = std::move(callback);
        state_->timer.expires_after(after);
        state_->timer.async_wait([state = state_](const boost::system::error_code& ec) {
            // Cancellation may come after the expiry was queued, so the code alone does not tell.
            if (ec || state->is_cancelled) return;
            const std::function<void()> due = std::move(state->callback);
            due();
        });
    }
    ~SteadyTimer() override {
        state_->is_cancelled = true;
        state_->callback = nullptr;
        state_->timer.cancel();
    }
    SteadyTimer(const SteadyTimer&) = delete;
    SteadyTimer& operator=(const SteadyTimer&) = delete;

private:
    struct State {
        explicit State(asio::io_context& loop) : timer(loop) {}
        asio::steady_timer timer;
        std::function<void()> callback;
        bool is_cancelled = false;
    };
    std::shared_ptr<State> state_;
};

}  // namespace

struct ProductionRuntime::Impl {
    explicit Impl(const Settings& s)
        : settings(s),
          work(loop.get_executor()),
          storage(1),
          compute(s.compute_threads),
          blocking(s.blocking_threads),
          io(s.io_threads) {}

    Settings settings;
    asio::io_context loop{1};
    asio::executor_work_guard<asio::io_context::executor_type> work;
    // After the loop: queued completions refer to it, so the pools go first.
    LazyPool storage;
    LazyPool compute;
    LazyPool blocking;
    LazyPool io;

    LazyPool& pool(Pool which) {
        switch (which) {
            case Pool::storage:
                return storage;
            case Pool::compute:
                return compute;
            case Pool::blocking:
                return blocking;
        }
        return blocking;
    }
};

ProductionRuntime::ProductionRuntime(Settings settings) : impl_(std::make_unique<Impl>(settings)) {}

ProductionRuntime::~ProductionRuntime() = default;

void ProductionRuntime::run() {
    for (;;) {
        try {
            impl_->loop.run();
            return;
        } catch (const std::exception& error) {
            Log("runtime").error("an exception escaped a callback", {{"reason", error.what()}});
        }
    }
}

void ProductionRuntime::stop() {
    impl_->loop.stop();
}

asio::any_io_executor ProductionRuntime::io() {
    return impl_->settings.io_threads == 0 ? loop() : impl_->io.executor();
}

asio::any_io_executor ProductionRuntime::loop() {
    return impl_->loop.get_executor();
}

WallTime ProductionRuntime::wall() const {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

BootTime ProductionRuntime::boot() const {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return BootTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

std::unique_ptr<Timer> ProductionRuntime::schedule(Duration after, std::function<void()> callback) {
    return std::make_unique<SteadyTimer>(impl_->loop, after, std::move(callback));
}

void ProductionRuntime::random_bytes(std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t got = getrandom(out.data(), out.size(), 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            throw boost::system::system_error(errno, boost::system::system_category(), "getrandom");
        }
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

Task<> ProductionRuntime::run_on(Pool pool, std::function<void()> work) {
    const asio::any_io_executor resume_on = loop();
    const asio::any_io_executor worker = impl_->pool(pool).executor();
    auto initiate = [resume_on, worker, work = std::move(work)](auto handler) mutable {
        asio::post(worker, [resume_on, work = std::move(work), handler = std::move(handler)]() mutable {
            std::exception_ptr failure;
            try {
                work();
            } catch (...) {
                failure = std::current_exception();
            }
            work = nullptr;  // what it captured ends on the pool's thread, before the caller goes on
            // Moved: the worker holds nothing of the exception once the loop may read it.
            asio::post(resume_on, [handler = std::move(handler), failure = std::move(failure)]() mutable {
                std::move(handler)(std::move(failure));
            });
        });
    };
    // An empty slot: the wait is not cancellable, the caller's frame must outlive the work.
    auto token = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
    co_await asio::async_initiate<decltype(token), void(std::exception_ptr)>(std::move(initiate), token);
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
}

}  // namespace icos
