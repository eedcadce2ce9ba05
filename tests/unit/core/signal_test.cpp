// SPDX-License-Identifier: Apache-2.0
#include "icos/async/signal.hpp"

#include "icos/async/task_group.hpp"
#include "run_task.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <catch2/catch.hpp>

#include <string>

using icos::Duration;
using icos::Signal;
using icos::Task;
using icos::TaskGroup;
using icos::test::ManualRuntime;

namespace {

Task<> wait_and_note(Signal& signal, std::string& notes, char mark) {
    try {
        co_await signal.wait();
        notes += mark;
    } catch (const boost::system::system_error& error) {
        notes += error.code() == boost::asio::error::operation_aborted ? '!' : '?';
        throw;
    }
}

Task<> wait_for_and_note(Signal& signal, std::string& notes, Duration limit) {
    const bool notified = co_await signal.wait_for(limit);
    notes += notified ? 'y' : 'n';
}

}  // namespace

TEST_CASE("notify resumes all waiters in the order of their waits and remembers nothing", "[async][signal]") {
    ManualRuntime runtime;
    TaskGroup tasks(runtime);
    Signal signal(runtime);
    std::string notes;
    for (const char mark : {'a', 'b', 'c'}) tasks.spawn("wait", wait_and_note(signal, notes, mark));
    runtime.run_until_idle();

    signal.notify();
    tasks.spawn("late", wait_and_note(signal, notes, 'd'));
    runtime.run_until_idle();

    CHECK(notes == "abc");
    CHECK(tasks.size() == 1);
}

TEST_CASE("a bounded wait ends at its limit, or earlier when notified", "[async][signal]") {
    ManualRuntime runtime;
    TaskGroup tasks(runtime);
    Signal signal(runtime);
    std::string notes;
    tasks.spawn("short", wait_for_and_note(signal, notes, Duration{10}));
    tasks.spawn("long", wait_for_and_note(signal, notes, Duration{100}));

    runtime.advance(Duration{9});
    CHECK(notes.empty());
    runtime.advance(Duration{1});
    CHECK(notes == "n");
    signal.notify();
    runtime.run_until_idle();

    CHECK(notes == "ny");
    CHECK_FALSE(runtime.next_timer().has_value());
}

TEST_CASE("destroying a signal aborts its waiters", "[async][signal]") {
    ManualRuntime runtime;
    TaskGroup tasks(runtime);
    std::string notes;
    {
        Signal signal(runtime);
        tasks.spawn("wait", wait_and_note(signal, notes, 'a'));
        runtime.run_until_idle();
    }
    runtime.run_until_idle();

    CHECK(notes == "!");
    CHECK(tasks.size() == 0);
}

TEST_CASE("a cancelled waiter is aborted and leaves the others waiting", "[async][signal]") {
    ManualRuntime runtime;
    TaskGroup kept(runtime);
    TaskGroup cancelled(runtime);
    Signal signal(runtime);
    std::string notes;
    kept.spawn("a", wait_and_note(signal, notes, 'a'));
    cancelled.spawn("b", wait_and_note(signal, notes, 'b'));
    runtime.run_until_idle();

    cancelled.cancel();
    runtime.run_until_idle();
    signal.notify();
    runtime.run_until_idle();

    CHECK(notes == "!a");
}
