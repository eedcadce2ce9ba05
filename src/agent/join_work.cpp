// SPDX-License-Identifier: Apache-2.0
#include "join_work.hpp"

#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"

namespace icos::agent {
namespace {

struct Countdown {
    explicit Countdown(Runtime& runtime) : done(runtime) {}
    std::size_t left = 0;
    Signal done;
};

/// Counts down however the task ends, also by an exception.
class CountOnEnd {
public:
    explicit CountOnEnd(std::shared_ptr<Countdown> countdown) : countdown_(std::move(countdown)) {}
    ~CountOnEnd() {
        if (--countdown_->left == 0) countdown_->done.notify();
    }
    CountOnEnd(const CountOnEnd&) = delete;
    CountOnEnd& operator=(const CountOnEnd&) = delete;

private:
    std::shared_ptr<Countdown> countdown_;
};

Task<> keep_first_error(Task<Result<void>> work, std::shared_ptr<std::optional<Error>> first) {
    Result<void> result = co_await std::move(work);
    if (result.has_error() && !*first) *first = result.error();
}

Task<> counted(std::shared_ptr<Countdown> countdown, Task<> task) {
    const CountOnEnd on_end(std::move(countdown));
    co_await std::move(task);
}

}  // namespace

Task<> all_of(Runtime& runtime, std::vector<Task<>> tasks) {
    if (tasks.empty()) co_return;
    if (tasks.size() == 1) {
        co_await std::move(tasks.front());
        co_return;
    }
    const auto countdown = std::make_shared<Countdown>(runtime);
    countdown->left = tasks.size();
    TaskGroup group(runtime);
    for (Task<>& task : tasks) group.spawn("agent.part", counted(countdown, std::move(task)));
    while (countdown->left > 0) co_await countdown->done.wait();
}

Task<Result<void>> all_succeed(Runtime& runtime, std::vector<Task<Result<void>>> work) {
    const auto first = std::make_shared<std::optional<Error>>();
    std::vector<Task<>> tasks;
    tasks.reserve(work.size());
    for (Task<Result<void>>& each : work) tasks.push_back(keep_first_error(std::move(each), first));
    co_await all_of(runtime, std::move(tasks));
    if (*first) co_return **first;
    co_return Result<void>();
}

struct Slots::State {
    State(Runtime& runtime, std::size_t count) : free(count), freed(runtime) {}
    std::size_t free;
    Signal freed;
};

Slots::Slots(Runtime& runtime, std::size_t count) : state_(std::make_shared<State>(runtime, count)) {}

Task<Slots::Ticket> Slots::take() {
    const std::shared_ptr<State> state = state_;
    while (state->free == 0) co_await state->freed.wait();
    --state->free;
    co_return Ticket(std::shared_ptr<void>(state.get(), [state](void*) {
        ++state->free;
        state->freed.notify();
    }));
}

}  // namespace icos::agent
