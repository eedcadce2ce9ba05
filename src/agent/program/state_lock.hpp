// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <string>
#include <utility>

namespace icos::agent {

/// Holds `<state-dir>/lock` for this process, so that two agents never work as one node. Released when it
/// goes.
class StateLock {
public:
    /// core.busy if another process holds it, core.io if it cannot be made.
    static Result<StateLock> take(const std::string& state_dir);
    StateLock(StateLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    StateLock& operator=(StateLock&&) = delete;
    ~StateLock();

private:
    explicit StateLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace icos::agent
