// SPDX-License-Identifier: Apache-2.0
#include "control_group.hpp"

#include "icos/agent/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace icos::agent {
namespace {

constexpr std::size_t kIdLength = 64;

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::optional<pid_t> pid_of(const std::string& name) {
    pid_t pid = 0;
    const char* end = name.data() + name.size();
    const auto [at, ec] = std::from_chars(name.data(), end, pid);
    if (ec != std::errc() || at != end || pid <= 1) return std::nullopt;
    return pid;
}

/// Killed processes are still listed until their parent has read their end.
bool is_ended(const std::string& stat) {
    const auto state = stat.rfind(')');
    return state == std::string::npos || state + 2 >= stat.size() || stat[state + 2] == 'Z' ||
           stat[state + 2] == 'X';
}

}  // namespace

bool is_in_group_of(std::string_view cgroups, std::string_view id) {
    if (id.size() != kIdLength) return false;
    while (!cgroups.empty()) {
        const std::string_view line = cgroups.substr(0, cgroups.find('\n'));
        cgroups.remove_prefix(std::min(cgroups.size(), line.size() + 1));
        for (std::size_t at = line.find(id); at != std::string_view::npos; at = line.find(id, at + 1)) {
            const char before = at == 0 ? '\0' : line[at - 1];
            const std::string_view after = line.substr(at + id.size());
            const bool begins = before == '/' || before == '-';
            if (begins && (after.empty() || after.front() == '/' || after.starts_with(".scope"))) return true;
        }
    }
    return false;
}

Result<std::size_t> kill_control_group(const std::string& proc, const std::string& id) {
    std::size_t killed = 0;
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(proc, ec)) {
        const std::optional<pid_t> pid = pid_of(entry.path().filename());
        if (!pid || !is_in_group_of(text_of(entry.path() / "cgroup"), id)) continue;
        if (is_ended(text_of(entry.path() / "stat"))) continue;
        if (::kill(*pid, SIGKILL) == 0) {
            ++killed;
        } else if (errno != ESRCH) {
            return Error{
                engine_errc::failed,
                "cannot kill process " + std::to_string(*pid) + " of container " + id.substr(0, 12) + ": " +
                    std::strerror(errno)
            };
        }
    }
    if (ec) return Error{engine_errc::failed, "cannot read " + proc + ": " + ec.message()};
    return killed;
}

}  // namespace icos::agent
