// SPDX-License-Identifier: Apache-2.0
#include "icos/bus/bus.hpp"

#include "icos/core/log.hpp"
#include "run_task.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using icos::Bus;
using icos::Duration;
using icos::Overflow;
using icos::Task;
using icos::test::ManualRuntime;

namespace {

struct Counted {
    int number = 0;
};
struct Named {
    std::string name;
};

struct Subscriber {
    icos::Runtime& runtime;
    std::vector<int> numbers{};
    Duration pause{0};

    Task<> on_counted(std::shared_ptr<const Counted> message) {
        if (pause.count() > 0) co_await icos::sleep_for(runtime, pause);
        if (message->number < 0) throw std::runtime_error("negative");
        numbers.push_back(message->number);
    }
    [[nodiscard]] std::shared_ptr<void> join(Bus& bus, std::size_t capacity, Overflow overflow) {
        return bus.subscribe<Counted>("test", capacity, overflow, [this](std::shared_ptr<const Counted> m) {
            return on_counted(std::move(m));
        });
    }
};

class QuietLog {
public:
    QuietLog() { icos::configure_logging({icos::LogLevel::error, icos::LogFormat::text, false}); }
    ~QuietLog() { icos::configure_logging({icos::LogLevel::warning, icos::LogFormat::text, true}); }
};

}  // namespace

TEST_CASE("subscribers get the messages of their type in order and never inline", "[bus]") {
    ManualRuntime runtime;
    Bus bus(runtime);
    Subscriber first{runtime};
    Subscriber second{runtime};
    const auto a = first.join(bus, 8, Overflow::drop_oldest);
    const auto b = second.join(bus, 8, Overflow::drop_oldest);

    for (int i = 1; i <= 3; ++i) bus.publish(Counted{i});
    bus.publish(Named{"nobody listens"});
    CHECK(first.numbers.empty());
    runtime.run_until_idle();

    CHECK(first.numbers == std::vector<int>{1, 2, 3});
    CHECK(second.numbers == std::vector<int>{1, 2, 3});
    CHECK(bus.dropped() == 0);
}

TEST_CASE("a full subscription drops by its policy and counts it", "[bus]") {
    const QuietLog quiet;
    ManualRuntime runtime;
    Bus bus(runtime);
    Subscriber oldest{runtime};
    Subscriber newest{runtime};
    const auto a = oldest.join(bus, 2, Overflow::drop_oldest);
    const auto b = newest.join(bus, 2, Overflow::drop_newest);

    for (int i = 1; i <= 4; ++i) bus.publish(Counted{i});
    runtime.run_until_idle();

    CHECK(oldest.numbers == std::vector<int>{3, 4});
    CHECK(newest.numbers == std::vector<int>{1, 2});
    CHECK(bus.dropped() == 4);
}

TEST_CASE("a slow subscriber handles one message at a time and holds nobody up", "[bus]") {
    ManualRuntime runtime;
    Bus bus(runtime);
    Subscriber slow{runtime, {}, Duration{100}};
    Subscriber fast{runtime};
    const auto a = slow.join(bus, 8, Overflow::drop_oldest);
    const auto b = fast.join(bus, 8, Overflow::drop_oldest);

    bus.publish(Counted{1});
    bus.publish(Counted{2});
    runtime.advance(Duration{150});

    CHECK(slow.numbers == std::vector<int>{1});
    CHECK(fast.numbers == std::vector<int>{1, 2});
}

TEST_CASE("a subscriber that throws gets the next message all the same", "[bus]") {
    const QuietLog quiet;
    ManualRuntime runtime;
    Bus bus(runtime);
    Subscriber subscriber{runtime};
    const auto token = subscriber.join(bus, 8, Overflow::drop_oldest);

    bus.publish(Counted{-1});
    bus.publish(Counted{2});
    runtime.run_until_idle();

    CHECK(subscriber.numbers == std::vector<int>{2});
}

TEST_CASE("a subscription ends with its token, queued messages included", "[bus]") {
    ManualRuntime runtime;
    Bus bus(runtime);
    Subscriber subscriber{runtime};
    auto token = subscriber.join(bus, 8, Overflow::drop_oldest);
    runtime.run_until_idle();

    bus.publish(Counted{1});
    token.reset();
    bus.publish(Counted{2});
    runtime.run_until_idle();

    CHECK(subscriber.numbers.empty());
}

TEST_CASE("a token may outlive its bus", "[bus]") {
    ManualRuntime runtime;
    std::shared_ptr<void> token;
    Subscriber subscriber{runtime};
    {
        Bus bus(runtime);
        token = subscriber.join(bus, 8, Overflow::drop_oldest);
        runtime.run_until_idle();
    }
    token.reset();
    runtime.run_until_idle();

    CHECK(subscriber.numbers.empty());
}

TEST_CASE("stopping the bus cancels running handlers", "[bus]") {
    ManualRuntime runtime;
    Bus bus(runtime);
    Subscriber slow{runtime, {}, Duration{60'000}};
    const auto token = slow.join(bus, 8, Overflow::drop_oldest);
    bus.publish(Counted{1});
    runtime.run_until_idle();
    const icos::BootTime start = runtime.boot();

    icos::test::run(runtime, bus.stop(Duration{5000}));

    CHECK(runtime.boot() == start);
    CHECK(slow.numbers.empty());
}
