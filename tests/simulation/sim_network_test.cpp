// SPDX-License-Identifier: Apache-2.0
#include "sim_network.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace icos;
using namespace icos::sim;

namespace {

/// A server that notes what it reads, and a client that sends numbers.
struct Pair {
    explicit Pair(std::uint64_t seed)
        : world(seed),
          network(world),
          server(world, server_machine, "server"),
          client(world, client_machine, "client") {
        network.listen("server", server, [this](std::string, std::unique_ptr<http::FrameStream> theirs) {
            server.spawn("reader", read_all(std::move(theirs), received, server_end));
        });
    }

    static Task<> read_all(
        std::unique_ptr<http::FrameStream> stream, std::vector<std::string>& into, std::string& reason
    ) {
        for (;;) {
            Result<std::string> frame = co_await stream->read();
            if (frame.has_error()) {
                reason = frame.error().detail;
                co_return;
            }
            into.push_back(*frame);
        }
    }

    static Task<> connect(Pair& pair) {
        auto dialled = co_await pair.network.dial(pair.client, "client", "server");
        if (dialled.has_error()) {
            pair.client_end = dialled.error().detail;
            co_return;
        }
        pair.stream = std::move(*dialled);
        for (int i = 0; i < 100; ++i) {
            std::string frame = std::to_string(i);
            const Result<void> written = co_await pair.stream->write(std::move(frame));
            if (written.has_error()) co_return;
        }
        const Result<std::string> answer = co_await pair.stream->read();
        if (answer.has_error()) pair.client_end = answer.error().detail;
    }

    World world;
    SimNetwork network;
    Machine server_machine{"server"};
    Machine client_machine{"client"};
    std::vector<std::string> received{};
    std::string server_end{};
    std::string client_end{};
    std::unique_ptr<http::FrameStream> stream{};
    SimProcess server;
    SimProcess client;

    void start() { client.spawn("connect", connect(*this)); }
    ~Pair() { stream.reset(); }
};

std::vector<std::string> numbers() {
    std::vector<std::string> all;
    for (int i = 0; i < 100; ++i) all.push_back(std::to_string(i));
    return all;
}

}  // namespace

TEST_CASE("frames of a connection arrive whole and in order", "[simulation]") {
    Pair pair(1);
    pair.start();
    pair.world.run_until(1min);
    CHECK(pair.received == numbers());
}

TEST_CASE("a cut holds frames until it heals", "[simulation]") {
    Pair pair(2);
    pair.start();
    pair.world.run_until(30ms);
    pair.network.cut("client", "server");
    pair.world.run_until(1min);
    const std::size_t before = pair.received.size();
    CHECK(before < 100);

    pair.network.heal("client", "server");
    pair.world.run_until(2min);
    CHECK(pair.received == numbers());
}

TEST_CASE("nobody answers behind a cut, and a host without a listener refuses", "[simulation]") {
    Pair pair(3);
    SECTION("cut") {
        pair.network.cut("server", "client");
        pair.start();
        pair.world.run_until(1min);
        CHECK(pair.client_end == "server does not answer");
    }
    SECTION("no listener") {
        pair.network.process_ended(pair.server, false);
        pair.start();
        pair.world.run_until(1min);
        CHECK(pair.client_end == "server refuses connections");
    }
}

TEST_CASE("a killed process closes its connections; a machine without power says nothing", "[simulation]") {
    Pair pair(4);
    pair.start();
    pair.world.run_until(10s);
    SECTION("killed") {
        pair.network.process_ended(pair.server, false);
        pair.world.run_until(20s);
        CHECK(pair.client_end == "closed by the other side");
    }
    SECTION("power loss") {
        pair.network.set_host_down("server", true);
        pair.network.process_ended(pair.server, true);
        pair.world.run_until(20s);
        CHECK(pair.client_end.empty());
    }
}

TEST_CASE("a stalled connection goes on, or is reset", "[simulation]") {
    Pair pair(5);
    pair.start();
    pair.world.run_until(10s);
    REQUIRE(pair.network.stall("client", 30s, true));
    pair.world.run_until(30s);
    CHECK(pair.client_end.empty());
    pair.world.run_until(50s);
    CHECK(pair.client_end == "reset: too many retransmissions");
    CHECK(pair.server_end == "reset: too many retransmissions");
}
