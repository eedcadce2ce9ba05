// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine_claim.hpp"

#include <string>

namespace icos::agent {

/// The claim on an engine as a locked file, `<directory>/engine-<id>.lock`, which says whose it is. The
/// kernel lets go of it however the process ends.
class EngineLock final : public EngineClaim {
public:
    /// `owner`: "node edge-1 (process 4711, /var/lib/icos-agent)".
    EngineLock(std::string directory, std::string owner);
    ~EngineLock() override;
    EngineLock(const EngineLock&) = delete;
    EngineLock& operator=(const EngineLock&) = delete;

    Result<void> take(const std::string& engine_id) override;

private:
    void release();

    std::string directory_;
    std::string owner_;
    std::string held_;  ///< engine id
    int fd_ = -1;
};

/// Where agents of one machine meet.
inline constexpr const char* kEngineLocks = "/run/icos-agent";

}  // namespace icos::agent
