// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"

#include <memory>
#include <string>

namespace icos {
class Runtime;
}

namespace icos::agent {

/// The engine behind a socket that speaks the Docker Engine API 1.40 or later: dockerd, or Podman's service.
/// `socket` is the path of its Unix socket; nothing is opened before the first call, and every call
/// (re)negotiates the version if the engine was away. Loop-confined; `runtime` must outlive it. Streams and
/// sessions that it handed out may outlive it.
std::unique_ptr<Engine> make_docker_engine(Runtime& runtime, std::string socket);

}  // namespace icos::agent
