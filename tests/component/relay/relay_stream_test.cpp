// SPDX-License-Identifier: Apache-2.0
// What goes through a connection, and how it ends.
#include "relay_world.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <filesystem>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace icos::agent::test {
namespace {

Task<> talk(RelayWorld* world, std::uint16_t port) {
    Peer client(world->runtime, port);
    for (const char* word : {"hello", "again", "and again"}) {
        co_await client.send(std::string(word) + "\n");
        const std::string answer = co_await client.line();
        CHECK(answer == "one:" + std::string(word));
    }
}

TEST_CASE("a client talks to the target in both directions", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    world.run(talk(&world, port));

    const RelayCounters counters = world.relay->counters();
    CHECK(counters.listeners == 1);
    CHECK(counters.accepted == 1);
    CHECK(counters.bytes_in == std::string_view("hello\nagain\nand again\n").size());
    CHECK(counters.bytes_out == counters.bytes_in + 3 * std::string_view("one:").size());
}

Task<> send_and_end(RelayWorld* world, std::uint16_t port) {
    Peer client(world->runtime, port);
    co_await client.send("request\n");
    client.end();
    const std::string answer = co_await client.read_all();
    CHECK(answer == "one:request\none:end\n");
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 0; });
}

TEST_CASE("a client that has sent everything still gets its answer", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    world.run(send_and_end(&world, port));

    CHECK(one.connections() == 0);
}

Task<> talk_after_farewell(RelayWorld* world, Provider* provider, std::uint16_t port) {
    Peer client(world->runtime, port);
    const std::string answer = co_await client.read_all();
    CHECK(answer == "one:bye\n");
    co_await client.send("last words\n");
    client.end();
    co_await eventually(&world->runtime, [provider] { return provider->connections() == 0; });
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 0; });
}

TEST_CASE("a target that has sent everything still gets what the client sends", "[relay]") {
    RelayWorld world;
    Provider one(world, "one", Provider::Manner::farewell);
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    world.run(talk_after_farewell(&world, &one, port));

    CHECK(one.heard() == "last words\n");
}

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 131 + (i >> 12U)) & 0xFFU);
    return text;
}

Task<> send_all(std::shared_ptr<Peer> client, std::string text, std::shared_ptr<bool> is_sent) {
    co_await client->send(std::move(text));
    client->end();
    *is_sent = true;
}

constexpr std::size_t kMuch = 32U << 20U;

Task<> overwhelm(RelayWorld* world, Provider* provider, std::uint16_t port) {
    const auto client = std::make_shared<Peer>(world->runtime, port);
    const auto is_sent = std::make_shared<bool>(false);
    world->tasks.spawn("client", send_all(client, pattern(kMuch), is_sent));
    std::uint64_t before = 0;
    int quiet_turns = 0;
    while (quiet_turns < 20'000) {
        const std::uint64_t now = world->relay->counters().bytes_in;
        quiet_turns = now == before && now > 0 ? quiet_turns + 1 : 0;
        before = now;
        co_await boost::asio::post(world->runtime.loop(), boost::asio::use_awaitable);
    }
    CHECK_FALSE(*is_sent);
    CHECK(before < kMuch / 2);

    provider->let_read();
    const std::string rest = co_await client->read_all();
    CHECK(rest.empty());
    co_await eventually(&world->runtime, [provider] { return provider->connections() == 0; });
}

TEST_CASE("a target that does not read stops the sender, and gets every byte in the end", "[relay]") {
    RelayWorld world;
    Provider slow(world, "slow", Provider::Manner::silent);
    const std::uint16_t port = world.listen();
    world.set_targets({slow.target()});

    world.run(overwhelm(&world, &slow, port));

    CHECK((slow.heard() == pattern(kMuch)));
}

Task<> break_target(RelayWorld* world, Provider* provider, std::uint16_t port) {
    Peer client(world->runtime, port);
    co_await client.send("x\n");
    const std::string answer = co_await client.line();
    CHECK(answer == "one:x");
    provider->reset_connections();
    const std::string end = co_await client.line();
    CHECK(end == "<reset>");
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 0; });
}

TEST_CASE("a client sees that the target broke off, not an ordinary end", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    world.run(break_target(&world, &one, port));
}

Task<> break_client(
    RelayWorld* world, Provider* provider, std::uint16_t port, std::string first, bool has_ended
) {
    Peer client(world->runtime, port);
    co_await client.send(std::move(first));
    if (has_ended) client.end();
    co_await eventually(&world->runtime, [provider] { return provider->connections() == 1; });
    co_await eventually(&world->runtime, [world] { return world->relay->counters().bytes_in > 0; });
    client.reset();
    co_await eventually(&world->runtime, [world] { return world->relay->counters().connections == 0; });
    provider->let_read();
    co_await eventually(&world->runtime, [provider] { return provider->connections() == 0; });
}

TEST_CASE(
    "a client that breaks ends the connection to the target, also when it had sent everything", "[relay]"
) {
    const bool has_ended = GENERATE(false, true);
    RelayWorld world;
    Provider silent(world, "silent", Provider::Manner::silent);
    const std::uint16_t port = world.listen();
    world.set_targets({silent.target()});

    world.run(break_client(&world, &silent, port, "x\n", has_ended));
}

/// From now on nothing reaches the socket: to its peer it looks like a node that is gone.
void cut_off(Peer& peer) {
    sock_filter drop_all{BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog program{1, &drop_all};
    REQUIRE(
        ::setsockopt(peer.socket.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ==
        0
    );
}

Task<> lose_client(RelayWorld* world, std::uint16_t port) {
    const std::uint64_t before = world->relay->counters().connections;
    Peer client(world->runtime, port);
    co_await client.send("x\n");
    const std::string answer = co_await client.line();
    CHECK(answer == "one:x");
    cut_off(client);
    co_await client.send("y\n");
    co_await eventually(&world->runtime, [world, before] {
        return world->relay->counters().connections == before;
    });
}

TEST_CASE("a connection ends when what is sent to a lost peer stays unanswered", "[relay]") {
    RelaySettings settings;
    settings.unanswered = Duration(300);
    RelayWorld world(settings);
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});

    world.run(lose_client(&world, port));

    CHECK(one.connections() <= 1);
}

Task<> lose_four_clients(RelayWorld* world, std::uint16_t port) {
    for (int i = 0; i < 4; ++i) co_await lose_client(world, port);
}

Task<> read_late(RelayWorld* world, Provider* slow, std::uint16_t port, std::uint16_t other_port) {
    const auto client = std::make_shared<Peer>(world->runtime, port);
    const auto is_sent = std::make_shared<bool>(false);
    world->tasks.spawn("client", send_all(client, pattern(kMuch), is_sent));
    co_await eventually(&world->runtime, [world] { return world->relay->counters().bytes_in > 0; });
    // Longer than a peer may be silent, four times over.
    co_await lose_four_clients(world, other_port);
    CHECK_FALSE(*is_sent);

    slow->let_read();
    co_await eventually(&world->runtime, [is_sent] { return *is_sent; });
    co_await eventually(&world->runtime, [slow] { return slow->connections() == 0; });
}

TEST_CASE("a peer that reads nothing for long is not taken for lost", "[relay]") {
    RelaySettings settings;
    settings.unanswered = Duration(300);
    RelayWorld world(settings);
    Provider slow(world, "slow", Provider::Manner::silent);
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    const std::uint16_t other_port = world.listen("other");
    world.set_targets({slow.target()});
    world.set_targets({one.target()}, "other");

    world.run(read_late(&world, &slow, port, other_port));

    CHECK((slow.heard() == pattern(kMuch)));
}

int option(int descriptor, int level, int name) {
    int value = -1;
    socklen_t size = sizeof(value);
    return ::getsockopt(descriptor, level, name, &value, &size) == 0 ? value : -1;
}

/// Sockets of this process that ask a silent peer after 30 s, 3 times, 10 s apart, and do not wait to fill
/// packets.
int watchful_sockets() {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        const int fd = std::stoi(entry.path().filename().string());
        if (option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0) continue;
        count += option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1 && option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 30 &&
                 option(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 10 && option(fd, IPPROTO_TCP, TCP_KEEPCNT) == 3 &&
                 option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 60'000 &&
                 option(fd, IPPROTO_TCP, TCP_NODELAY) == 1;
    }
    return count;
}

Task<> count_watchful(RelayWorld* world, std::uint16_t port, int* count) {
    Peer client(world->runtime, port);
    co_await client.send("x\n");
    co_await client.line();
    *count = watchful_sockets();
}

TEST_CASE("both sides of a connection notice a peer that is gone, and send at once", "[relay]") {
    RelayWorld world;
    Provider one(world, "one");
    const std::uint16_t port = world.listen();
    world.set_targets({one.target()});
    int count = 0;

    world.run(count_watchful(&world, port, &count));

    CHECK(count == 2);
}

}  // namespace
}  // namespace icos::agent::test
