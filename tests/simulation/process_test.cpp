// SPDX-License-Identifier: Apache-2.0
#include "process.hpp"

#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"

#include <boost/system/system_error.hpp>
#include <catch2/catch.hpp>

#include <stdexcept>
#include <vector>

using namespace icos;
using namespace icos::sim;

namespace {

Task<> sleep_and_note(SimProcess& process, Duration duration, std::vector<SimTime>& woke) {
    co_await sleep_for(process, duration);
    woke.push_back(process.world().now());
}

Task<> note_work(SimProcess& process, std::vector<int>& order, int number) {
    const auto work = [&order, number] { order.push_back(number); };
    co_await process.run_on(Pool::storage, work);
    order.push_back(-number);
}

Task<> throw_from_pool(SimProcess& process, std::string& what) {
    const auto work = [] { throw std::runtime_error("the disk is gone"); };
    try {
        co_await process.run_on(Pool::storage, work);
    } catch (const std::runtime_error& error) {
        what = error.what();
    }
}

std::uint64_t hash_of_a_run(std::uint64_t seed) {
    World world(seed);
    Machine machine{"m"};
    SimProcess process(world, machine, "p");
    std::vector<SimTime> woke;
    std::vector<int> order;
    for (int i = 1; i <= 20; ++i) {
        process.spawn("sleeper", sleep_and_note(process, Duration(i % 3), woke));
        process.spawn("worker", note_work(process, order, i));
    }
    world.run_until(1s);
    for (const SimTime time : woke) world.hash(static_cast<std::uint64_t>(time.count()));
    return world.trace_hash();
}

}  // namespace

TEST_CASE("an hour of virtual time passes without waiting", "[simulation]") {
    World world(1);
    Machine machine{"m"};
    SimProcess process(world, machine, "p");
    std::vector<SimTime> woke;

    process.spawn("sleeper", sleep_and_note(process, Duration(3'600'000), woke));
    world.run_until(2h);

    REQUIRE(woke.size() == 1);
    CHECK(woke[0] == 1h);
}

TEST_CASE("work on the storage pool keeps its order and never completes inline", "[simulation]") {
    World world(2);
    Machine machine{"m"};
    SimProcess process(world, machine, "p");
    std::vector<int> order;

    for (int i = 1; i <= 5; ++i) process.spawn("worker", note_work(process, order, i));
    CHECK(order.empty());
    world.run_until(1s);

    std::vector<int> begun;
    for (const int number : order) {
        if (number > 0) begun.push_back(number);
    }
    CHECK(order.size() == 10);
    CHECK(begun == std::vector<int>{1, 2, 3, 4, 5});
}

TEST_CASE("an exception of pool work reaches the caller", "[simulation]") {
    World world(3);
    Machine machine{"m"};
    SimProcess process(world, machine, "p");
    std::string what;

    process.spawn("worker", throw_from_pool(process, what));
    world.run_until(1s);

    CHECK(what == "the disk is gone");
}

TEST_CASE("a destroyed timer does not fire", "[simulation]") {
    World world(4);
    Machine machine{"m"};
    SimProcess process(world, machine, "p");
    bool fired = false;

    auto timer = process.schedule(Duration(10), [&] { fired = true; });
    world.run_until(5ms);
    timer.reset();
    world.run_until(1s);

    CHECK_FALSE(fired);
}

TEST_CASE("equal seeds give equal runs and others do not", "[simulation]") {
    CHECK(hash_of_a_run(7) == hash_of_a_run(7));
    CHECK(hash_of_a_run(7) != hash_of_a_run(8));
}

TEST_CASE("a dying process runs to its end in a time of its own", "[simulation]") {
    World world(5);
    Machine machine{"m"};
    std::vector<SimTime> woke;
    {
        SimProcess process(world, machine, "p");
        process.spawn("sleeper", sleep_and_note(process, Duration(60'000), woke));
        world.run_until(1s);

        process.begin_dying();
        CHECK(process.drain([&] { return !woke.empty(); }));
    }
    CHECK(world.now() == 1s);
}

TEST_CASE("a process is stopped between two of its handlers", "[simulation]") {
    World world(6);
    Machine machine{"m"};
    SimProcess process(world, machine, "p");
    std::vector<int> order;
    bool crashed = false;

    for (int i = 1; i <= 5; ++i) process.spawn("worker", note_work(process, order, i));
    process.arm_crash(3, [&] {
        crashed = true;
        process.begin_dying();
    });
    world.run_until(1s);

    CHECK(crashed);
    CHECK(order.empty());
}
