// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/signal.hpp"
#include "icos/async/task.hpp"

#include <cstddef>
#include <cstdint>
#include <list>

namespace icos::job_manager {

/// Lets one coroutine through at a time, in the order they came. Loop-confined.
class Turnstile {
public:
    explicit Turnstile(Runtime& runtime) : changed_(runtime) {}

    /// A place in the queue; leaving it, also before one's turn, lets the next one through.
    class Turn {
    public:
        explicit Turn(Turnstile& turnstile) : turnstile_(turnstile), number_(turnstile.next_++) {
            turnstile_.queue_.push_back(number_);
        }
        ~Turn() { leave(); }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        Task<> wait() {
            while (turnstile_.queue_.front() != number_) co_await turnstile_.changed_.wait();
        }
        void leave() {
            if (turnstile_.queue_.remove(number_) > 0) turnstile_.changed_.notify();
        }

    private:
        Turnstile& turnstile_;
        std::uint64_t number_;
    };
    std::size_t size() const noexcept { return queue_.size(); }

private:
    Signal changed_;
    std::list<std::uint64_t> queue_;
    std::uint64_t next_ = 0;
};

}  // namespace icos::job_manager
