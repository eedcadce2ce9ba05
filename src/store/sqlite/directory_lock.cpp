// SPDX-License-Identifier: Apache-2.0
#include "sqlite/directory_lock.hpp"

#include "icos/store/store.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace icos::store {

DirectoryLock::~DirectoryLock() {
    if (file_ >= 0) ::close(file_);
}

Result<void> DirectoryLock::acquire(const std::string& directory) {
    const std::string path = directory + "/lock";
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0) {
        return Error{
            store_errc::io, path + ": " + std::strerror(errno), "the data directory must be writable"
        };
    }
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return {};
    return Error{
        store_errc::locked,
        directory + " is in use by another controller",
        "stop it first, or give this one a data directory of its own (--data-dir)"
    };
}

}  // namespace icos::store
