// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/log.hpp"
#include "icos/core/time.hpp"
#include "join.hpp"

#include <string>

/// The subcommands of icos-agent. Each returns the exit code: 0 done, 1 refused or failed.
namespace icos::agent {

struct RunOptions {
    std::string state_dir;
    std::string docker_socket;  ///< empty: the one of the join, else the machine's
    LogSettings log;
    Duration longest_pause{30'000};  ///< between two attempts to reach a controller
};

int run_agent(const RunOptions& options);
int run_join(JoinOptions options, bool start);
int run_status(const std::string& state_dir);

inline constexpr const char* kDefaultStateDir = "/var/lib/icos-agent";
/// Docker's socket, Podman's where only that exists; DOCKER_HOST=unix://… wins.
std::string default_socket();

}  // namespace icos::agent
