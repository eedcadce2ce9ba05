// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "manual_runtime.hpp"

#include <optional>
#include <type_traits>
#include <utility>

namespace icos::test {

namespace detail {
template <class T>
Task<> keep_result(Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
}
}  // namespace detail

/// Runs `task` to its end under virtual time (see ManualRuntime::run_to_end) and returns its result.
template <class T>
T run(ManualRuntime& runtime, Task<T> task) {
    if constexpr (std::is_void_v<T>) {
        runtime.run_to_end(std::move(task));
    } else {
        std::optional<T> result;
        runtime.run_to_end(detail::keep_result<T>(std::move(task), &result));
        return std::move(*result);
    }
}

/// The same for a task that needs no runtime of its own.
template <class T>
T run(Task<T> task) {
    ManualRuntime runtime;
    return run(runtime, std::move(task));
}

}  // namespace icos::test
