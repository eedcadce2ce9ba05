// SPDX-License-Identifier: Apache-2.0
#include "facts.hpp"

#include "icos/core/log.hpp"
#include "icos/link/digest.hpp"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <netdb.h>
#include <set>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace icos::agent {
namespace {

const Log kLog("agent.facts");
constexpr std::size_t kMaxFile = 1U << 20U;

std::string_view trim(std::string_view text) {
    constexpr std::string_view space = " \t\r\n";
    const auto first = text.find_first_not_of(space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

template <class Use>
void each_line(std::string_view text, Use use) {
    while (!text.empty()) {
        const auto newline = text.find('\n');
        use(text.substr(0, newline));
        if (newline == std::string_view::npos) break;
        text.remove_prefix(newline + 1);
    }
}

std::string unquote(std::string_view text) {
    if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) {
        text = text.substr(1, text.size() - 2);
    }
    return std::string(text);
}

std::string value_of(std::string_view text, std::string_view key) {
    std::string found;
    each_line(text, [&](std::string_view line) {
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == '=') {
            found = unquote(trim(line.substr(key.size() + 1)));
        }
    });
    return found;
}

std::uint32_t cpus(std::string_view proc_stat) {
    std::uint32_t count = 0;
    each_line(proc_stat, [&](std::string_view line) {
        if (line.starts_with("cpu") && line.size() > 3 && line[3] >= '0' && line[3] <= '9') ++count;
    });
    return count;
}

std::uint64_t memory_total(std::string_view meminfo) {
    std::uint64_t kib = 0;
    each_line(meminfo, [&](std::string_view line) {
        if (!line.starts_with("MemTotal:")) return;
        const std::string_view number = trim(line.substr(9));
        std::from_chars(number.data(), number.data() + number.size(), kib);
    });
    return kib * 1024;
}

bool is_number(std::string_view text) {
    double value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    return ec == std::errc() && end == text.data() + text.size();
}

/// The local address a packet to `controller` would leave from; nothing is sent.
std::string source_address(const std::string& controller) {
    const auto colon = controller.rfind(':');
    if (colon == std::string::npos) return {};
    std::string host = controller.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* list = nullptr;
    if (getaddrinfo(host.c_str(), controller.c_str() + colon + 1, &hints, &list) != 0) return {};
    std::string address;
    for (const addrinfo* entry = list; entry != nullptr && address.empty(); entry = entry->ai_next) {
        const int socket_fd = socket(entry->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (socket_fd < 0) continue;
        sockaddr_storage local{};
        socklen_t length = sizeof(local);
        char text[NI_MAXHOST] = {};
        if (connect(socket_fd, entry->ai_addr, entry->ai_addrlen) == 0 &&
            getsockname(socket_fd, reinterpret_cast<sockaddr*>(&local), &length) == 0 &&
            getnameinfo(
                reinterpret_cast<const sockaddr*>(&local),
                length,
                text,
                sizeof(text),
                nullptr,
                0,
                NI_NUMERICHOST
            ) == 0) {
            address = text;
        }
        close(socket_fd);
    }
    freeaddrinfo(list);
    return address;
}

}  // namespace

std::map<std::string, std::string> parse_machine_labels(
    std::string_view text, std::vector<std::string>& problems
) {
    std::map<std::string, std::string> labels;
    each_line(text, [&](std::string_view raw) {
        const std::string_view line = trim(raw);
        if (line.empty() || line.front() == '#') return;
        const auto equals = line.find('=');
        const std::string_view key = trim(line.substr(0, equals));
        if (equals == std::string_view::npos || key.empty()) {
            problems.push_back("expected name=value, got '" + std::string(line) + "'");
            return;
        }
        labels.insert_or_assign(std::string(key), std::string(trim(line.substr(equals + 1))));
    });
    return labels;
}

std::vector<Device> parse_machine_devices(std::string_view text, std::vector<std::string>& problems) {
    std::vector<Device> devices;
    each_line(text, [&](std::string_view raw) {
        const std::string_view line = trim(raw);
        if (line.empty() || line.front() == '#') return;
        const auto equals = line.find('=');
        const std::string_view path = equals == std::string_view::npos ? "" : trim(line.substr(equals + 1));
        const std::string_view name = trim(line.substr(0, equals));
        if (name.empty() || (!path.empty() && path.front() != '/')) {
            problems.push_back("expected name=/path, got '" + std::string(line) + "'");
            return;
        }
        devices.push_back({std::string(name), std::string(path)});
    });
    return devices;
}

std::string parse_machine_location(std::string_view text) {
    std::string_view line = trim(text.substr(0, text.find('\n')));
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
        const std::string_view latitude = trim(line.substr(0, colon));
        const std::string_view longitude = trim(line.substr(colon + 1));
        if (is_number(latitude) && is_number(longitude))
            return std::string(latitude) + "," + std::string(longitude);
    }
    return std::string(line);
}

std::string normalise_architecture(std::string_view machine) {
    if (machine == "amd64" || machine == "x86-64") return "x86_64";
    if (machine == "aarch64") return "arm64";
    return std::string(machine);
}

std::string hashed_machine_id(std::string_view machine_id) {
    const std::string_view id = trim(machine_id);
    if (id.empty()) return {};
    return link::sha256_hex("icos node " + std::string(id)).substr(0, 32);
}

HostFacts::HostFacts(std::string root, DeclaredFacts declared)
    : root_(std::move(root)), declared_(std::move(declared)) {
    while (!root_.empty() && root_.back() == '/') root_.pop_back();
}

std::string HostFacts::file(std::string_view path) const {
    // Not by iostreams: they would be the only ones of the process, and cost it memory for good.
    const int fd = open((root_ + std::string(path)).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    std::string content;
    char buffer[4096];
    while (content.size() < kMaxFile) {
        const ssize_t length = ::read(fd, buffer, sizeof(buffer));
        if (length <= 0) break;
        content.append(buffer, static_cast<std::size_t>(length));
    }
    close(fd);
    return content;
}

void HostFacts::report(std::string_view path, const std::vector<std::string>& problems) {
    std::string text;
    for (const std::string& problem : problems) text += (text.empty() ? "" : "; ") + problem;
    std::string& last = reported_[std::string(path)];
    if (!text.empty() && text != last) kLog.warning("lines are skipped", {{"file", path}, {"problem", text}});
    last = text;
}

std::string HostFacts::boot_id() {
    return std::string(trim(file("/proc/sys/kernel/random/boot_id")));
}

Facts HostFacts::read() {
    Facts facts;
    facts.hostname = trim(file("/proc/sys/kernel/hostname"));
    utsname name{};
    if (uname(&name) == 0) facts.architecture = normalise_architecture(name.machine);
    std::string release = file("/etc/os-release");
    if (release.empty()) release = file("/usr/lib/os-release");
    facts.os = value_of(release, "PRETTY_NAME");
    facts.kernel = trim(file("/proc/sys/kernel/osrelease"));
    facts.machine_id = hashed_machine_id(file("/etc/machine-id"));
    facts.agent_version = kAgentVersion;
    facts.cpu_milli = cpus(file("/proc/stat")) * 1000;
    facts.memory_bytes = memory_total(file("/proc/meminfo"));
    facts.address = source_address(declared_.controller);

    std::vector<std::string> problems;
    facts.labels = parse_machine_labels(file("/etc/machine-labels"), problems);
    report("/etc/machine-labels", problems);
    for (const auto& [key, value] : declared_.labels) facts.labels.insert_or_assign(key, value);

    problems.clear();
    std::vector<Device> devices = parse_machine_devices(file("/etc/machine-devices"), problems);
    report("/etc/machine-devices", problems);
    devices.insert(devices.end(), declared_.devices.begin(), declared_.devices.end());
    const std::set<Device> unique(devices.begin(), devices.end());
    for (const Device& device : unique) {
        if (device.path.empty() || access((root_ + device.path).c_str(), F_OK) == 0)
            facts.devices.push_back(device);
    }
    facts.location = parse_machine_location(file("/etc/machine-location"));
    return facts;
}

}  // namespace icos::agent
