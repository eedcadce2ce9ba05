// SPDX-License-Identifier: Apache-2.0
// How much a relay takes on.
#include "icos/async/signal.hpp"
#include "relay_world.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>
#include <sys/resource.h>

namespace icos::agent::test {
namespace {

Task<> exceed(RelayWorld* world, std::uint16_t port, std::uint16_t other_port, std::string of_other) {
    auto one = std::make_unique<Peer>(world->runtime, port);
    co_await one->send("x\n");
    co_await one->line();
    Peer two(world->runtime, port);
    co_await two.send("x\n");
    co_await two.line();

    const std::string refused = co_await ask(&world->runtime, port, "x");
    CHECK(refused == "<reset>");
    const std::string other = co_await ask(&world->runtime, other_port, "x");
    CHECK(other == of_other);

    one.reset();
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 1; });
    const std::string served = co_await ask(&world->runtime, port, "x");
    CHECK(served == "one:x");
}

TEST_CASE("a listener has at most as many connections as set, others are not affected", "[relay]") {
    RelaySettings settings;
    settings.max_connections_of_a_listener = 2;
    RelayWorld world(settings);
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    const std::uint16_t other = world.listen("other");
    world.set_targets({one.target()});
    world.set_targets({one.target()}, "other");

    world.run(exceed(&world, port, other, "one:x"));

    CHECK(world.relay->counters().refused_at_limit == 1);
}

TEST_CASE("a relay has at most as many connections as set, whichever listener they came to", "[relay]") {
    RelaySettings settings;
    settings.max_connections = 2;
    RelayWorld world(settings);
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    const std::uint16_t other = world.listen("other");
    world.set_targets({one.target()});
    world.set_targets({one.target()}, "other");

    world.run(exceed(&world, port, other, "<reset>"));

    CHECK(world.relay->counters().refused_at_limit == 2);
}

/// The limit of open files while it exists.
class DescriptorLimit {
public:
    explicit DescriptorLimit(std::size_t soft) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit wanted = before_;
        wanted.rlim_cur = soft;
        // Not REQUIRE: sanitizers read about its types through a pipe, which may now be over the limit.
        if (::setrlimit(RLIMIT_NOFILE, &wanted) != 0)
            throw std::runtime_error("the limit of open files cannot be set");
    }
    ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    DescriptorLimit(const DescriptorLimit&) = delete;
    DescriptorLimit& operator=(const DescriptorLimit&) = delete;

private:
    rlimit before_{};
};

struct Crowd {
    explicit Crowd(Runtime& runtime) : complete(runtime) {}
    int answered = 0;
    Signal complete;
};

Task<> one_client(RelayWorld* world, std::uint16_t port, int number, Crowd* crowd) {
    const std::string text = std::to_string(number);
    Peer client(world->runtime, port);
    co_await client.send(text + "\n");
    const std::string answer = co_await client.line();
    crowd->answered += answer == "one:" + text;
    co_await crowd->complete.wait();
    if (number % 3 == 0) client.reset();
    if (number % 3 == 1) client.end();
    if (number % 3 == 1) co_await client.read_all();
}

Task<> many_clients(RelayWorld* world, std::uint16_t port, Crowd* crowd) {
    for (int i = 0; i < 1'000; ++i) world->tasks.spawn("client", one_client(world, port, i, crowd));
    co_await eventually(&world->runtime, [crowd] { return crowd->answered == 1'000; });
    CHECK(world->relay->counters().connections == 1'000);
    crowd->complete.notify();
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 0; });
}

Task<> settle(RelayWorld* world, std::size_t descriptors) {
    co_await eventually(&world->runtime, [descriptors] { return open_descriptors() <= descriptors; });
}

TEST_CASE("a thousand connections leave nothing behind", "[relay]") {
    const DescriptorLimit limit(5'000);
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});
    const std::size_t before = open_descriptors();
    Crowd crowd(world.runtime);

    world.run(many_clients(&world, port, &crowd));
    world.run(settle(&world, before));

    CHECK(open_descriptors() == before);
    CHECK(world.relay->counters().accepted == 1'000);
}

// A sanitizer needs descriptors for its own checks: without them it reports what it could not look at.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ICOS_TEST_SANITIZED
#endif
#endif
#ifndef ICOS_TEST_SANITIZED

Task<> run_out(RelayWorld* world, std::uint16_t port) {
    Peer client(world->runtime, port);
    {
        const DescriptorLimit limit(1);
        co_await eventually(&world->runtime, [world] {
            return world->relay->counters().accept_failures >= 3;
        });
    }
    co_await client.send("x\n");
    const std::string answer = co_await client.line();
    CHECK(answer == "one:x");
}

TEST_CASE("without free descriptors clients wait, and are served when there are some again", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    world.run(run_out(&world, port));

    CHECK(world.relay->counters().accept_failures < 100);
    CHECK(world.relay->counters().refused_at_limit == 0);
}

#endif

}  // namespace
}  // namespace icos::agent::test
