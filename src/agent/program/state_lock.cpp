// SPDX-License-Identifier: Apache-2.0
#include "state_lock.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace icos::agent {

Result<StateLock> StateLock::take(const std::string& state_dir) {
    const std::string path = state_dir + "/lock";
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return Error{
            errc::io, path + ": " + std::strerror(errno), "run the agent as the owner of the directory (root)"
        };
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int why = errno;
        close(fd);
        if (why == EWOULDBLOCK) {
            return Error{
                errc::busy, "an agent already runs with " + state_dir, "systemctl stop icos-agent ends it"
            };
        }
        return Error{errc::io, path + ": " + std::strerror(why)};
    }
    return StateLock(fd);
}

StateLock::~StateLock() {
    if (fd_ >= 0) close(fd_);
}

}  // namespace icos::agent
