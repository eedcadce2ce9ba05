// SPDX-License-Identifier: Apache-2.0
#include "join_work.hpp"

#include "icos/async/all_of.hpp"
#include "icos/async/signal.hpp"

namespace icos::agent {
namespace {

Task<> keep_first_error(Task<Result<void>> work, std::shared_ptr<std::optional<Error>> first) {
    Result<void> result = co_await std::move(work);
    if (result.has_error() && !*first) *first = result.error();
}

}  // namespace

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
