// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/signal.hpp"
#include "icos/async/task.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>

namespace icos::job_manager {

/// Lets one coroutine through at a time, in the order they came. Loop-confined. A turn may outlive the
/// turnstile: a request that did not end before its module goes on the way out only.
class Turnstile {
    struct State {
        explicit State(Runtime& runtime) : changed(runtime) {}
        Signal changed;
        std::list<std::uint64_t> queue;
        std::uint64_t next = 0;
    };

public:
    explicit Turnstile(Runtime& runtime) : state_(std::make_shared<State>(runtime)) {}

    /// A place in the queue; leaving it, also before one's turn, lets the next one through.
    class Turn {
    public:
        explicit Turn(const Turnstile& turnstile) : state_(turnstile.state_), number_(state_->next++) {
            state_->queue.push_back(number_);
        }
        ~Turn() { leave(); }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        Task<> wait() {
            while (state_->queue.front() != number_) co_await state_->changed.wait();
        }
        void leave() {
            if (state_->queue.remove(number_) > 0) state_->changed.notify();
        }

    private:
        std::shared_ptr<State> state_;
        std::uint64_t number_;
    };
    std::size_t size() const noexcept { return state_->queue.size(); }

private:
    std::shared_ptr<State> state_;
};

}  // namespace icos::job_manager
