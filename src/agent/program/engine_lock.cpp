// SPDX-License-Identifier: Apache-2.0
#include "engine_lock.hpp"

#include "icos/agent/engine.hpp"
#include "icos/core/log.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace icos::agent {
namespace {

const Log kLog("agent.engine");

/// Engine ids are hex groups or paths: what a file name may not hold becomes '_'.
std::string file_name(const std::string& engine_id) {
    std::string out = "engine-";
    for (const char c : engine_id) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        out += plain ? c : '_';
    }
    return out + ".lock";
}

std::string contents(int fd) {
    char text[512];
    const ssize_t length = pread(fd, text, sizeof(text), 0);
    return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : std::string("another process");
}

}  // namespace

EngineLock::EngineLock(std::string directory, std::string owner)
    : directory_(std::move(directory)), owner_(std::move(owner)) {}

EngineLock::~EngineLock() {
    release();
}

void EngineLock::release() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    held_.clear();
}

Result<void> EngineLock::take(const std::string& engine_id) {
    if (fd_ >= 0 && engine_id == held_) return {};
    release();
    (void)mkdir(directory_.c_str(), 0755);
    const std::string path = directory_ + "/" + file_name(engine_id);
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        // Without a place to meet, the controller still sees two nodes on one engine.
        kLog.warning(
            "cannot tell whether another agent uses this engine",
            {{"file", path}, {"reason", std::strerror(errno)}}
        );
        return {};
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const std::string other = contents(fd);
        close(fd);
        return Error{
            engine_errc::conflict,
            "this container engine is used by the agent of " + other,
            "one engine serves one node: stop that agent, or give this one an engine of its own "
            "(--docker-socket)"
        };
    }
    if (ftruncate(fd, 0) != 0 ||
        pwrite(fd, owner_.data(), owner_.size(), 0) != static_cast<ssize_t>(owner_.size())) {
        kLog.warning(
            "cannot write down whose the engine is", {{"file", path}, {"reason", std::strerror(errno)}}
        );
    }
    fd_ = fd;
    held_ = engine_id;
    return {};
}

}  // namespace icos::agent
