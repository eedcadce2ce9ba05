// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"
#include "icos/core/error.hpp"

#include <memory>
#include <vector>

namespace icos::agent {

/// Runs the work at the same time on the loop and resumes when all of it has ended; the first error, if any.
/// Cancelled with the caller, and even then it does not end before all of it has.
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
