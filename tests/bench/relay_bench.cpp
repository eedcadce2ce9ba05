// SPDX-License-Identifier: Apache-2.0
// What the relay passes on in a second, beside a direct connection over loopback; one JSON object a line. The
// relay runs on one thread, as in the agent; client and server are threads with blocking sockets.
#include "icos/agent/relay.hpp"
#include "icos/async/production_runtime.hpp"
#include "icos/async/task_group.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <future>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace icos;
using namespace icos::agent;
using Clock = std::chrono::steady_clock;

constexpr int kRuns = 7;
constexpr std::size_t kBytes = 512U << 20U;
constexpr int kConnections = 1'000;

void require(bool is_good, const char* what) {
    if (is_good) return;
    std::perror(what);
    std::exit(1);
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out.sin_port = htons(port);
    return out;
}

int listen_on_any(std::uint16_t* port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at = loopback(0);
    socklen_t size = sizeof(at);
    require(::bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0, "bind");
    require(::listen(fd, 1024) == 0, "listen");
    require(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0, "getsockname");
    *port = ntohs(at.sin_port);
    return fd;
}

int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in at = loopback(port);
    require(::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0, "connect");
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Bytes per second from a client to the server behind `port`.
double stream(int server, std::uint16_t port) {
    auto receiver = std::async(std::launch::async, [server] {
        const int fd = ::accept(server, nullptr, nullptr);
        require(fd >= 0, "accept");
        std::vector<char> buffer(64U << 10U);
        std::size_t total = 0;
        for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;)
            total += static_cast<std::size_t>(got);
        ::close(fd);
        return total;
    });
    const std::vector<char> buffer(64U << 10U, 'x');
    const auto start = Clock::now();
    const int fd = connect_to(port);
    for (std::size_t sent = 0; sent < kBytes;) {
        const ssize_t taken = ::send(fd, buffer.data(), std::min(buffer.size(), kBytes - sent), MSG_NOSIGNAL);
        require(taken > 0, "send");
        sent += static_cast<std::size_t>(taken);
    }
    ::shutdown(fd, SHUT_WR);
    require(receiver.get() == kBytes, "bytes got lost");
    const double took = seconds_since(start);
    ::close(fd);
    return static_cast<double>(kBytes) / took;
}

/// Connections per second, one after the other: connect, one byte there, one back.
double connect_often(int server, std::uint16_t port) {
    std::thread answerer([server] {
        for (int i = 0; i < kConnections; ++i) {
            const int fd = ::accept(server, nullptr, nullptr);
            char byte = 0;
            require(::read(fd, &byte, 1) == 1 && ::write(fd, &byte, 1) == 1, "answer");
            (void)!::read(fd, &byte, 1);
            ::close(fd);
        }
    });
    const auto start = Clock::now();
    for (int i = 0; i < kConnections; ++i) {
        const int fd = connect_to(port);
        char byte = 'x';
        require(::write(fd, &byte, 1) == 1 && ::read(fd, &byte, 1) == 1, "ask");
        // No TIME_WAIT: the ports of loopback would run out.
        const linger at_once{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        ::close(fd);
    }
    const double took = seconds_since(start);
    answerer.join();
    return kConnections / took;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

void row(const char* metric, double value, const char* unit) {
    std::printf(
        R"({"bench":"relay","metric":"%s","value":%.0f,"unit":"%s"})"
        "\n",
        metric,
        value,
        unit
    );
}

void row(const char* metric, double value, const char* unit, double peer) {
    std::printf(
        R"({"bench":"relay","metric":"%s","value":%.0f,"unit":"%s","peer":"direct loopback","ratio":%.2f})"
        "\n",
        metric,
        value,
        unit,
        value / peer
    );
}

Task<> set_up(Relay* relay, std::uint16_t target, std::promise<std::uint16_t>* port) {
    const RelayKey key{AppId{"bench"}, "server", "server", 1};
    const Result<std::uint16_t> bound = co_await relay->listen(key, "127.0.0.1", 0);
    relay->set_targets(key, {{"127.0.0.1", target}});
    port->set_value(bound.value());
}

double cpu_seconds(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

int main() {
    std::uint16_t direct = 0;
    const int server = listen_on_any(&direct);
    ProductionRuntime runtime({.io_threads = 0, .compute_threads = 1, .blocking_threads = 1});
    const std::unique_ptr<Relay> relay = make_tcp_relay(runtime, {});
    TaskGroup tasks(runtime);
    std::promise<std::uint16_t> promised;
    tasks.spawn("bench.set_up", set_up(relay.get(), direct, &promised));
    std::thread loop([&runtime] { runtime.run(); });
    clockid_t loop_clock{};
    require(::pthread_getcpuclockid(loop.native_handle(), &loop_clock) == 0, "pthread_getcpuclockid");
    const std::uint16_t relayed = promised.get_future().get();

    std::vector<double> bytes;
    std::vector<double> direct_bytes;
    std::vector<double> cpu;
    std::vector<double> connections;
    std::vector<double> direct_connections;
    for (int i = 0; i < kRuns; ++i) {
        direct_bytes.push_back(stream(server, direct));
        const double before = cpu_seconds(loop_clock);
        bytes.push_back(stream(server, relayed));
        cpu.push_back(static_cast<double>(kBytes) / (cpu_seconds(loop_clock) - before));
        direct_connections.push_back(connect_often(server, direct));
        connections.push_back(connect_often(server, relayed));
    }
    runtime.stop();
    loop.join();
    ::close(server);

    row("direct loopback, one connection", median(direct_bytes), "bytes/s");
    row("relayed, one connection", median(bytes), "bytes/s", median(direct_bytes));
    row("relayed per second of the agent's thread", median(cpu), "bytes/s");
    row("share of a core at 1 Gbit/s", 100 * 125e6 / median(cpu), "%");
    row("direct loopback, connect and one byte each way", median(direct_connections), "connections/s");
    row("relayed, connect and one byte each way",
        median(connections),
        "connections/s",
        median(direct_connections));
    return 0;
}
