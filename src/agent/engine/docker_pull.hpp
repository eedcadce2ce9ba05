// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "agent/engine/docker_api.hpp"
#include "icos/agent/engine.hpp"

#include <memory>
#include <string>

namespace icos::agent {

/// Engine::pull over POST /images/create.
Task<Result<void>> pull_image(
    std::shared_ptr<DockerApi> api, std::string reference, std::string auth, PullProgress progress
);

}  // namespace icos::agent
