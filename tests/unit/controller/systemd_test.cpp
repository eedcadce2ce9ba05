// SPDX-License-Identifier: Apache-2.0
#include "icos/runtime/systemd.hpp"

#include "icos/async/task_group.hpp"
#include "manual_runtime.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace icos;

namespace {

/// A service manager's socket with an abstract name, announced in the environment while it lives.
class ServiceManager {
public:
    ServiceManager() : file_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
        // An address of the family alone makes the kernel choose a free abstract name.
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        REQUIRE(::bind(file_, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) == 0);
        socklen_t length = sizeof(address);
        REQUIRE(::getsockname(file_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
        const std::string name(&address.sun_path[1], length - offsetof(sockaddr_un, sun_path) - 1);
        ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    }
    ~ServiceManager() {
        ::unsetenv("NOTIFY_SOCKET");
        ::unsetenv("WATCHDOG_USEC");
        ::unsetenv("WATCHDOG_PID");
        ::close(file_);
    }
    ServiceManager(const ServiceManager&) = delete;
    ServiceManager& operator=(const ServiceManager&) = delete;

    /// The next datagram; empty if there is none.
    std::string next() {
        std::array<char, 256> buffer{};
        const ssize_t got = ::recv(file_, buffer.data(), buffer.size(), 0);
        return got < 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(got));
    }

private:
    int file_;
};

}  // namespace

TEST_CASE("states reach the service manager, and nobody is told without one", "[systemd]") {
    systemd::notify("READY=1");
    ServiceManager manager;

    systemd::notify("READY=1\nSTATUS=ready");

    CHECK(manager.next() == "READY=1\nSTATUS=ready");
    CHECK(manager.next().empty());
}

TEST_CASE("the watchdog is fed at half its interval", "[systemd]") {
    ServiceManager manager;
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    test::ManualRuntime runtime;
    TaskGroup tasks(runtime);

    tasks.spawn("watchdog", systemd::feed_watchdog(runtime));
    runtime.run_until_idle();
    CHECK(manager.next() == "WATCHDOG=1");
    runtime.advance(Duration{14'999});
    CHECK(manager.next().empty());
    runtime.advance(Duration{1});

    CHECK(manager.next() == "WATCHDOG=1");
}

TEST_CASE("a watchdog meant for another process is not fed", "[systemd]") {
    ServiceManager manager;
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    ::setenv("WATCHDOG_PID", "1", 1);

    CHECK_FALSE(systemd::watchdog_interval().has_value());
}
