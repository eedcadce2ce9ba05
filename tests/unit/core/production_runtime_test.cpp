// SPDX-License-Identifier: Apache-2.0
#include "icos/async/production_runtime.hpp"

#include "icos/async/task_group.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>
#include <thread>

using icos::Duration;
using icos::Pool;
using icos::ProductionRuntime;
using icos::Task;

namespace {

struct Seen {
    std::thread::id loop{};
    std::thread::id worker{};
    std::thread::id after{};
    std::string failure{};
};

std::thread::id throw_on_purpose() {
    throw std::runtime_error("on purpose");
}

Task<> visit_pool(ProductionRuntime& runtime, Seen& seen) {
    seen.loop = std::this_thread::get_id();
    seen.worker = co_await icos::offload(runtime, Pool::storage, [] { return std::this_thread::get_id(); });
    seen.after = std::this_thread::get_id();
    try {
        co_await icos::offload(runtime, Pool::compute, throw_on_purpose);
    } catch (const std::runtime_error& error) {
        seen.failure = error.what();
    }
    runtime.stop();
}

Task<> sleep_then_stop(ProductionRuntime& runtime, icos::BootTime& end) {
    co_await icos::sleep_for(runtime, Duration{20});
    end = runtime.boot();
    runtime.stop();
}

}  // namespace

TEST_CASE(
    "pool work runs on another thread and resumes on the loop, exceptions included", "[async][runtime]"
) {
    ProductionRuntime runtime({});
    icos::TaskGroup tasks(runtime);
    Seen seen;

    tasks.spawn("visit", visit_pool(runtime, seen));
    runtime.run();

    CHECK(seen.loop == std::this_thread::get_id());
    CHECK(seen.worker != seen.loop);
    CHECK(seen.after == seen.loop);
    CHECK(seen.failure == "on purpose");
}

TEST_CASE("the boot clock runs while a task sleeps", "[async][runtime]") {
    ProductionRuntime runtime({});
    icos::TaskGroup tasks(runtime);
    const icos::BootTime start = runtime.boot();
    icos::BootTime end{};

    tasks.spawn("sleep", sleep_then_stop(runtime, end));
    runtime.run();

    CHECK(end - start >= Duration{20});
}

TEST_CASE(
    "a destroyed timer does not fire, and an escaping exception does not end the loop", "[async][runtime]"
) {
    ProductionRuntime runtime({});
    bool fired = false;
    bool ended = false;
    auto cancelled = runtime.schedule(Duration{1}, [&fired] { fired = true; });
    const auto thrower = runtime.schedule(Duration{1}, [] { throw std::runtime_error("on purpose"); });
    const auto last = runtime.schedule(Duration{5}, [&] {
        ended = true;
        runtime.stop();
    });
    cancelled.reset();

    runtime.run();

    CHECK_FALSE(fired);
    CHECK(ended);
}

TEST_CASE("sockets share the loop unless threads are configured for them", "[async][runtime]") {
    ProductionRuntime alone({});
    ProductionRuntime pooled({1, 1, 1});

    CHECK(alone.io() == alone.loop());
    CHECK(pooled.io() != pooled.loop());
}
