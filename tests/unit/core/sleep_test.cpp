// SPDX-License-Identifier: Apache-2.0
#include "icos/async/runtime.hpp"
#include "icos/async/task_group.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>

using icos::Duration;
using icos::Task;
using icos::test::ManualRuntime;

namespace {

Task<> sleep_and_set(icos::Runtime& runtime, Duration duration, bool& flag) {
    co_await icos::sleep_for(runtime, duration);
    flag = true;
}

Task<> fail_after(icos::Runtime& runtime, Duration duration) {
    co_await icos::sleep_for(runtime, duration);
    throw std::runtime_error("on purpose");
}

Task<> limited(icos::Runtime& runtime, bool& flag, std::string& notes) {
    try {
        const bool in_time = co_await icos::finish_within(
            runtime, Duration{1000}, sleep_and_set(runtime, Duration{500}, flag)
        );
        notes += in_time ? 'y' : 'n';
    } catch (const std::exception&) {
        notes += '!';
        throw;
    }
}

}  // namespace

TEST_CASE("a sleep lasts as long as it says", "[async][sleep]") {
    ManualRuntime runtime;
    icos::TaskGroup tasks(runtime);
    bool awake = false;
    tasks.spawn("sleep", sleep_and_set(runtime, Duration{100}, awake));

    runtime.advance(Duration{99});
    CHECK_FALSE(awake);
    runtime.advance(Duration{1});
    CHECK(awake);
}

TEST_CASE("work that ends in time is reported as finished", "[async][finish_within]") {
    ManualRuntime runtime;
    bool done = false;

    const bool in_time = icos::test::run(
        runtime, icos::finish_within(runtime, Duration{1000}, sleep_and_set(runtime, Duration{999}, done))
    );

    CHECK(in_time);
    CHECK(done);
    CHECK_FALSE(runtime.next_timer().has_value());
}

TEST_CASE("work that takes longer is cancelled at its limit", "[async][finish_within]") {
    ManualRuntime runtime;
    bool done = false;
    const icos::BootTime start = runtime.boot();

    const bool in_time = icos::test::run(
        runtime, icos::finish_within(runtime, Duration{1000}, sleep_and_set(runtime, Duration{5000}, done))
    );

    CHECK_FALSE(in_time);
    CHECK_FALSE(done);
    CHECK(runtime.boot() - start == Duration{1000});
    CHECK_FALSE(runtime.next_timer().has_value());
}

TEST_CASE("an exception of limited work reaches the caller", "[async][finish_within]") {
    ManualRuntime runtime;

    CHECK_THROWS_AS(
        icos::test::run(
            runtime, icos::finish_within(runtime, Duration{1000}, fail_after(runtime, Duration{1}))
        ),
        std::runtime_error
    );
}

TEST_CASE("cancelling the caller cancels the limited work", "[async][finish_within]") {
    ManualRuntime runtime;
    icos::TaskGroup tasks(runtime);
    bool done = false;
    std::string notes;
    tasks.spawn("limited", limited(runtime, done, notes));
    runtime.advance(Duration{10});

    tasks.cancel();
    runtime.advance(Duration{5000});

    CHECK(notes == "!");
    CHECK_FALSE(done);
    CHECK(tasks.size() == 0);
}
