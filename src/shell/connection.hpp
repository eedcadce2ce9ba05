// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/client.hpp"

#include <map>
#include <string>

namespace icos::shell {

/// What the user said about the controller, by flags and environment.
struct ConnectionOptions {
    std::string controller;  ///< --controller or ICOS_CONTROLLER; empty = the local socket
    std::string token;       ///< ICOS_TOKEN
    std::string token_file;  ///< --token-file or ICOS_TOKEN_FILE
    std::string ca_pin;      ///< --ca-pin or ICOS_CA_PIN: SHA-256 of the controller's public key
    std::string ca_file;     ///< --ca-file or ICOS_CA_FILE
};

struct Connection {
    http::Endpoint endpoint;
    std::string token;
};

/// Resolves flag, then environment, then the controller's socket on this host
/// (`/var/lib/icos-controller/controller.sock`). core.invalid or core.io with what to change.
Result<Connection> resolve_connection(const ConnectionOptions& options);

}  // namespace icos::shell
