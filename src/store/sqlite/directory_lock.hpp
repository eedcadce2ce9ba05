// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <string>

namespace icos::store {

/// An exclusive lock on a data directory, held by an open file and released by the kernel however the process
/// ends.
class DirectoryLock {
public:
    DirectoryLock() = default;
    ~DirectoryLock();
    DirectoryLock(const DirectoryLock&) = delete;
    DirectoryLock& operator=(const DirectoryLock&) = delete;
    /// store.locked if another process holds it.
    Result<void> acquire(const std::string& directory);

private:
    int file_ = -1;
};

}  // namespace icos::store
