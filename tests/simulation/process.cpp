// SPDX-License-Identifier: Apache-2.0
#include "process.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace icos::sim {
namespace {

constexpr std::uint64_t kDrainLimit = 200'000;

/// Suspends the calling coroutine; `start` gets what resumes it, to be called once, from anywhere but inline.
/// Ignores cancellation.
Task<> suspend(std::function<void(std::function<void()>)> start) {
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
        [](auto handler, std::function<void(std::function<void()>)> go) {
            auto kept = std::make_shared<decltype(handler)>(std::move(handler));
            go([kept] {
                auto executor = boost::asio::get_associated_executor(*kept);
                boost::asio::post(executor, std::move(*kept));
            });
        },
        boost::asio::use_awaitable,
        std::move(start)
    );
}

}  // namespace

/// Shared with the queue, so that a fired but not yet run callback is dropped when the timer goes.
class SimProcess::SimTimer final : public Timer {
public:
    SimTimer(SimProcess& process, std::function<void()> callback)
        : process_(process), callback_(std::make_shared<std::function<void()>>(std::move(callback))) {}
    ~SimTimer() override {
        *callback_ = nullptr;
        process_.cancel(key_);
    }
    void start(Duration after) {
        key_ = process_.deliver(after, [callback = callback_] {
            if (!*callback) return;
            // Moved out first: the callback may destroy its timer.
            const std::function<void()> run = std::exchange(*callback, nullptr);
            run();
        });
    }

private:
    SimProcess& process_;
    std::shared_ptr<std::function<void()>> callback_;
    EventKey key_{};
};

struct SimProcess::Job {
    std::function<void()> work;
    std::exception_ptr error;
};

SimProcess::SimProcess(World& world, Machine& machine, std::string name)
    : world_(world),
      machine_(machine),
      name_(std::move(name)),
      rng_(world.rng().fork(name_)),
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE),
      work_(context_.get_executor()) {}

SimProcess::~SimProcess() {
    if (!dead_) begin_dying();
    world_.forget(*this);
    // What waits for these events holds executors of the context; their end may cancel other events.
    while (!private_events_.empty()) {
        const auto waiting = std::exchange(private_events_, {});
    }
}

WallTime SimProcess::wall() const {
    return WallTime(machine_.wall_at_start + std::chrono::duration_cast<std::chrono::milliseconds>(now()));
}

BootTime SimProcess::boot() const {
    // A machine has been up for a moment before anything of ours runs on it.
    return BootTime(now() - machine_.booted_at + std::chrono::seconds(7));
}

EventKey SimProcess::deliver(SimTime delay, std::function<void()> action) {
    delay = std::max(delay, SimTime::zero());
    if (dead_) {
        const EventKey key{private_now_ + delay, 0, ++private_sequence_};
        private_events_.emplace(key, std::move(action));
        return key;
    }
    return world_.after(delay, this, [this, action = std::move(action)]() mutable {
        boost::asio::post(context_, std::move(action));
        world_.wake(*this);
    });
}

void SimProcess::cancel(const EventKey& key) {
    if (dead_) {
        private_events_.erase(key);
    } else {
        world_.cancel(key);
    }
}

std::unique_ptr<Timer> SimProcess::schedule(Duration after, std::function<void()> callback) {
    auto timer = std::make_unique<SimTimer>(*this, std::move(callback));
    timer->start(after);
    return timer;
}

void SimProcess::random_bytes(std::span<std::byte> out) {
    for (std::size_t i = 0; i < out.size(); i += sizeof(std::uint64_t)) {
        const std::uint64_t word = rng_.next();
        std::memcpy(out.data() + i, &word, std::min(sizeof word, out.size() - i));
    }
}

SimTime SimProcess::pool_delay(Pool pool) {
    switch (pool) {
        case Pool::storage:
            return std::chrono::microseconds(rng_.between(100, 4000)) *
                   static_cast<SimTime::rep>(machine_.disk_slowness);
        case Pool::compute:
            return std::chrono::microseconds(rng_.between(50, 3000));
        case Pool::blocking:
            return std::chrono::microseconds(rng_.between(200, 20'000));
    }
    return {};
}

void SimProcess::start_job(Pool pool, std::shared_ptr<Job> job, std::function<void()> resume) {
    const SimTime before = pool_delay(pool) / 2;
    const SimTime behind = pool_delay(pool) / 2;
    SimTime begin = now() + before;
    if (pool == Pool::storage) {
        // One thread: jobs run in the order they were given, each after the one before.
        begin = std::max(begin, storage_free_at_);
        storage_free_at_ = begin + behind;
    }
    // The events own what resumes the caller, and the caller owns the job: no cycle is left when a process
    // dies.
    deliver(begin - now(), [this, job, behind, resume = std::move(resume)]() mutable {
        try {
            job->work();
        } catch (...) {
            job->error = std::current_exception();
        }
        job->work = nullptr;
        deliver(behind, std::move(resume));
    });
}

Task<> SimProcess::run_on(Pool pool, std::function<void()> work) {
    auto job = std::make_shared<Job>();
    job->work = std::move(work);
    co_await suspend([this, pool, job](std::function<void()> resume) {
        start_job(pool, job, std::move(resume));
    });
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != boost::asio::cancellation_type::none) {
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    }
    if (job->error) std::rethrow_exception(job->error);
}

Task<> SimProcess::pause(SimTime delay) {
    co_await suspend([this, delay](std::function<void()> resume) { deliver(delay, std::move(resume)); });
}

void SimProcess::spawn(std::string what, Task<> task) {
    boost::asio::co_spawn(
        context_,
        std::move(task),
        [this, what = std::move(what)](const std::exception_ptr& error) {
            if (!error || dead_) return;
            try {
                std::rethrow_exception(error);
            } catch (const std::exception& e) {
                world_.fail(name_ + ": " + what + " ended with an exception: " + e.what());
            }
        }
    );
    world_.wake(*this);
}

void SimProcess::arm_crash(std::uint64_t handlers, std::function<void()> crash) {
    crash_after_ = handlers;
    crash_ = std::move(crash);
}

bool SimProcess::crash_is_due() {
    if (!crash_) return false;
    if (crash_after_ == 0) return true;
    --crash_after_;
    return false;
}

void SimProcess::crash() {
    const std::function<void()> crash = std::exchange(crash_, nullptr);
    crash();
}

void SimProcess::begin_dying() {
    if (dead_) return;
    private_now_ = world_.now();
    for (auto& [key, action] : world_.take_events(*this)) private_events_.emplace(key, std::move(action));
    private_sequence_ = 1ULL << 60U;
    world_.forget(*this);
    crash_ = nullptr;
    dead_ = true;
}

bool SimProcess::drain(const std::function<bool()>& done) {
    for (std::uint64_t i = 0; i < kDrainLimit; ++i) {
        while (run_one()) {
        }
        if (done()) return true;
        if (private_events_.empty()) return false;
        auto node = private_events_.extract(private_events_.begin());
        private_now_ = std::max(private_now_, node.key().time);
        node.mapped()();
    }
    return false;
}

bool SimProcess::run_one() {
    if (context_.stopped()) context_.restart();
    return context_.poll_one() > 0;
}

}  // namespace icos::sim
