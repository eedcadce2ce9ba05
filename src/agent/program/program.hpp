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
    std::string secrets_dir;    ///< files of secrets that containers see; in memory
    LogSettings log;
    Duration longest_pause{15'000};  ///< between two attempts to reach a controller
};

int run_agent(const RunOptions& options);
/// Makes the files of secrets from what the node keeps sealed: at boot, before the engine starts containers.
int run_prepare(const std::string& state_dir, const std::string& secrets_dir);
int run_join(JoinOptions options, bool start);
int run_status(const std::string& state_dir);

struct ResetOptions {
    std::string state_dir;
    std::string secrets_dir;
    std::string docker_socket;  ///< empty: the one of the join, else the machine's
    bool is_confirmed = false;  ///< asked on the terminal otherwise
    bool keep_containers = false;
};
/// Makes the machine nobody: key, certificate, accepted set and secrets go, and the containers and networks
/// of the node that it was, unless they are to be kept. Volumes stay. The agent must not run.
int run_reset_identity(const ResetOptions& options);

inline constexpr const char* kDefaultStateDir = "/var/lib/icos-agent";
/// Docker's socket, Podman's where only that exists; DOCKER_HOST=unix://… wins.
std::string default_socket();

}  // namespace icos::agent
