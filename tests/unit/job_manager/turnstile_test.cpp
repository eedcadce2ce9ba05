// SPDX-License-Identifier: Apache-2.0
#include "job_manager/turnstile.hpp"

#include "icos/async/task_group.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace icos;
using icos::job_manager::Turnstile;

namespace {

Task<> pass(Runtime& runtime, Turnstile& turnstile, std::string& journal, char name) {
    Turnstile::Turn turn(turnstile);
    co_await turn.wait();
    journal += name;
    co_await sleep_for(runtime, Duration(10));
    journal += static_cast<char>(name - 'a' + 'A');
}

}  // namespace

TEST_CASE("one at a time goes through the turnstile, in order", "[job_manager]") {
    test::ManualRuntime runtime;
    Turnstile turnstile(runtime);
    std::string journal;
    TaskGroup group(runtime);
    for (const char name : {'a', 'b', 'c'}) group.spawn("test", pass(runtime, turnstile, journal, name));

    runtime.advance(Duration(100));

    CHECK(journal == "aAbBcC");
    CHECK(turnstile.size() == 0);
}

TEST_CASE("who gives up its place lets the next one through", "[job_manager]") {
    test::ManualRuntime runtime;
    Turnstile turnstile(runtime);
    std::string journal;
    TaskGroup first(runtime);
    TaskGroup second(runtime);
    first.spawn("test", pass(runtime, turnstile, journal, 'a'));
    first.spawn("test", pass(runtime, turnstile, journal, 'b'));
    runtime.run_until_idle();
    second.spawn("test", pass(runtime, turnstile, journal, 'c'));
    runtime.run_until_idle();

    first.cancel();
    runtime.advance(Duration(100));

    CHECK(journal == "acC");
    CHECK(turnstile.size() == 0);
}
