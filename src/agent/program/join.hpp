// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/async/runtime.hpp"
#include "icos/store/disk.hpp"
#include "identity.hpp"

#include <map>
#include <string>
#include <vector>

namespace icos::agent {

struct JoinOptions {
    std::string controller;
    std::string token;
    std::string name;
    std::map<std::string, std::string> labels;
    std::vector<Device> devices;
    std::string state_dir;
    std::string docker_socket;
};

/// Registers this machine with a controller and saves the identity. The token's hash of the authority is all
/// that is trusted; the controller's errors come back with their codes (node.token_spent, node.token_expired
/// …).
Task<Result<Identity>> join(Runtime& runtime, Disk& disk, JoinOptions options, Facts facts);

/// "edge-1 (x86_64, 4 cores, 7.8Gi, docker 20.10, 1 video device)".
std::string describe_node(const std::string& name, const Facts& facts);

}  // namespace icos::agent
