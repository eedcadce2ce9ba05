// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"
#include "icos/core/error.hpp"

#include <memory>
#include <vector>

namespace icos::agent {

/// Runs the tasks at the same time on the loop and resumes when all have ended. Cancelled with the caller.
/// The tasks keep their results themselves.
Task<> all_of(Runtime& runtime, std::vector<Task<>> tasks);

/// The same; the first error, if any.
Task<Result<void>> all_succeed(Runtime& runtime, std::vector<Task<Result<void>>> work);

/// A bound on how much of something happens at a time. Loop-confined.
class Slots {
public:
    Slots(Runtime& runtime, std::size_t count);
    /// Held until it is destroyed.
    class Ticket {
    public:
        Ticket() = default;
        explicit Ticket(std::shared_ptr<void> held) : held_(std::move(held)) {}

    private:
        std::shared_ptr<void> held_;
    };
    Task<Ticket> take();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace icos::agent
