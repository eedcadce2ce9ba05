// SPDX-License-Identifier: Apache-2.0
#include "icos/async/all_of.hpp"

#include "icos/async/task_group.hpp"
#include "run_task.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <catch2/catch.hpp>

#include <stdexcept>
#include <vector>

using icos::Duration;
using icos::Task;
using icos::test::ManualRuntime;

namespace {

Task<> sleep_and_count(icos::Runtime& runtime, Duration duration, int& count) {
    co_await icos::sleep_for(runtime, duration);
    ++count;
}

Task<> sleep_whatever_happens(icos::Runtime& runtime, Duration duration, int& count) {
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_await icos::sleep_for(runtime, duration);
    ++count;
}

Task<> fail_after(icos::Runtime& runtime, Duration duration) {
    co_await icos::sleep_for(runtime, duration);
    throw std::runtime_error("on purpose");
}

}  // namespace

TEST_CASE("parts run at the same time and all are waited for", "[async][all_of]") {
    ManualRuntime runtime;
    int count = 0;
    std::vector<Task<>> parts;
    for (const int ms : {100, 300, 200}) parts.push_back(sleep_and_count(runtime, Duration{ms}, count));
    const icos::BootTime start = runtime.boot();

    icos::test::run(runtime, icos::all_of(runtime, std::move(parts)));

    CHECK(count == 3);
    CHECK(runtime.boot() - start == Duration{300});
}

TEST_CASE("a part that fails ends nothing else, and its error arrives", "[async][all_of]") {
    ManualRuntime runtime;
    int count = 0;
    std::vector<Task<>> parts;
    parts.push_back(fail_after(runtime, Duration{100}));
    parts.push_back(sleep_and_count(runtime, Duration{200}, count));

    CHECK_THROWS_WITH(icos::test::run(runtime, icos::all_of(runtime, std::move(parts))), "on purpose");
    CHECK(count == 1);
}

TEST_CASE("cancelled parts end before the one who waits for them", "[async][all_of]") {
    ManualRuntime runtime;
    icos::TaskGroup tasks(runtime);
    int stubborn = 0;
    int willing = 0;
    std::vector<Task<>> parts;
    parts.push_back(sleep_whatever_happens(runtime, Duration{100}, stubborn));
    parts.push_back(sleep_and_count(runtime, Duration{100}, willing));
    tasks.spawn("parent", icos::all_of(runtime, std::move(parts)));
    runtime.advance(Duration{10});

    tasks.cancel();
    runtime.advance(Duration{89});
    CHECK(tasks.size() == 1);
    runtime.advance(Duration{1});

    CHECK(tasks.size() == 0);
    CHECK(stubborn == 1);
    CHECK(willing == 0);
}
