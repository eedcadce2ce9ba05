// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/production_runtime.hpp"
#include "icos/async/task_group.hpp"
#include "icos/core/error.hpp"

#include <cstdio>
#include <optional>

/// What the subcommands share: a small loop, and errors for people.
namespace icos::agent {

inline void print(const Error& error) {
    std::fprintf(stderr, "error: %s [%s]\n", error.detail.c_str(), stable_code(error).c_str());
    if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
}

/// One loop, and threads that begin only when the first file is written or the first name resolved.
inline ProductionRuntime::Settings small_runtime() {
    return {.io_threads = 0, .compute_threads = 1, .blocking_threads = 1};
}

template <class T>
Task<> to_result(Task<Result<T>> task, std::optional<Result<T>>* out, ProductionRuntime* runtime) {
    out->emplace(co_await std::move(task));
    runtime->stop();
}

template <class T>
Result<T> run_to_end(ProductionRuntime& runtime, Task<Result<T>> task) {
    std::optional<Result<T>> result;
    TaskGroup group(runtime);
    group.spawn("agent.command", to_result(std::move(task), &result, &runtime));
    runtime.run();
    if (!result) return Error{errc::internal, "the command ended without a result"};
    return std::move(*result);
}

}  // namespace icos::agent
