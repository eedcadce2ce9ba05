// SPDX-License-Identifier: Apache-2.0
#include "icos/async/task_group.hpp"

#include "icos/async/signal.hpp"
#include "icos/core/log.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>

using icos::Duration;
using icos::Task;
using icos::TaskGroup;
using icos::test::ManualRuntime;

namespace {

Task<> note(std::string& notes, char mark) {
    notes += mark;
    co_return;
}

Task<> sleep_and_note(icos::Runtime& runtime, std::string& notes, char mark) {
    co_await icos::sleep_for(runtime, Duration{1000});
    notes += mark;
}

Task<> fail() {
    throw std::runtime_error("on purpose");
    co_return;
}

Task<> ignore_cancellation(icos::Runtime& runtime, std::string& notes) {
    co_await runtime.run_on(icos::Pool::blocking, [&notes] { notes += 'w'; });
    notes += 'r';
}

}  // namespace

TEST_CASE("spawn never runs a task inline", "[async][task_group]") {
    ManualRuntime runtime;
    TaskGroup tasks(runtime);
    std::string notes;

    tasks.spawn("a", note(notes, 'a'));
    CHECK(notes.empty());
    CHECK(tasks.size() == 1);
    runtime.run_until_idle();

    CHECK(notes == "a");
    CHECK(tasks.size() == 0);
}

TEST_CASE("stop cancels what runs, waits for it and refuses later tasks", "[async][task_group]") {
    ManualRuntime runtime;
    TaskGroup tasks(runtime);
    std::string notes;
    tasks.spawn("a", sleep_and_note(runtime, notes, 'a'));
    runtime.run_until_idle();

    const bool stopped = icos::test::run(runtime, tasks.stop(Duration{5000}));
    tasks.spawn("b", note(notes, 'b'));
    runtime.advance(Duration{10'000});

    CHECK(stopped);
    CHECK(notes.empty());
    CHECK(tasks.size() == 0);
}

TEST_CASE("a task cancelled before it started never starts", "[async][task_group]") {
    ManualRuntime runtime;
    TaskGroup tasks(runtime);
    std::string notes;

    tasks.spawn("a", note(notes, 'a'));
    tasks.cancel();
    runtime.run_until_idle();

    CHECK(notes.empty());
    CHECK(tasks.size() == 0);
}

TEST_CASE("stop says so when a task does not end by the deadline", "[async][task_group]") {
    ManualRuntime runtime;
    ManualRuntime stalled;  // its loop does not run, so work handed to it never ends
    TaskGroup tasks(runtime);
    std::string notes;
    tasks.spawn("stuck", ignore_cancellation(stalled, notes));
    runtime.run_until_idle();

    const bool stopped = icos::test::run(runtime, tasks.stop(Duration{50}));

    CHECK_FALSE(stopped);
    CHECK(tasks.size() == 1);
    stalled.run_until_idle();
    runtime.run_until_idle();
    CHECK(tasks.size() == 0);
}

TEST_CASE("an exception that escapes a task leaves the others running", "[async][task_group]") {
    icos::configure_logging({icos::LogLevel::error, icos::LogFormat::text, false});
    ManualRuntime runtime;
    TaskGroup tasks(runtime);
    std::string notes;

    tasks.spawn("bad", fail());
    tasks.spawn("good", sleep_and_note(runtime, notes, 'g'));
    runtime.advance(Duration{1000});

    CHECK(notes == "g");
    icos::configure_logging({icos::LogLevel::warning, icos::LogFormat::text, true});
}

TEST_CASE("destroying a group cancels its tasks", "[async][task_group]") {
    ManualRuntime runtime;
    std::string notes;
    {
        TaskGroup tasks(runtime);
        tasks.spawn("a", sleep_and_note(runtime, notes, 'a'));
        runtime.run_until_idle();
    }
    runtime.advance(Duration{5000});

    CHECK(notes.empty());
    CHECK_FALSE(runtime.next_timer().has_value());
}

TEST_CASE("work on a pool ends before its cancelled caller goes on", "[async][task_group]") {
    ManualRuntime runtime;
    TaskGroup tasks(runtime);
    std::string notes;
    struct Local {
        static Task<> cancel_soon(TaskGroup& group) {
            group.cancel();
            co_return;
        }
    };
    TaskGroup other(runtime);
    tasks.spawn("work", ignore_cancellation(runtime, notes));
    other.spawn("cancel", Local::cancel_soon(tasks));
    runtime.run_until_idle();

    CHECK(notes == "w");
    CHECK(tasks.size() == 0);
}
