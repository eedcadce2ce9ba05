// SPDX-License-Identifier: Apache-2.0
#include "icos/runtime/systemd.hpp"

#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace icos::systemd {

void notify(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(path);
    if (length >= sizeof(address.sun_path)) return;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = '\0';  // abstract socket
    const int file = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file < 0) return;
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    // A manager that does not listen is its own problem: there is nobody to tell.
    (void)::sendto(
        file, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size
    );
    ::close(file);
}

std::optional<Duration> watchdog_interval() {
    const char* microseconds = std::getenv("WATCHDOG_USEC");
    if (microseconds == nullptr) return std::nullopt;
    if (const char* pid = std::getenv("WATCHDOG_PID"); pid != nullptr && std::to_string(::getpid()) != pid)
        return std::nullopt;
    const long long value = std::atoll(microseconds);
    if (value <= 0) return std::nullopt;
    return Duration(value / 1000);
}

Task<> feed_watchdog(Runtime& runtime) {
    const std::optional<Duration> interval = watchdog_interval();
    if (!interval) co_return;
    for (;;) {
        notify("WATCHDOG=1");
        co_await sleep_for(runtime, *interval / 2);
    }
}

}  // namespace icos::systemd
