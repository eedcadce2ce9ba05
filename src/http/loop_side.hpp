// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "http/server_state.hpp"
#include "http/websocket.hpp"

#include <memory>
#include <optional>
#include <string>

namespace icos::http {

/// The part of a request that runs on the control loop. Sessions spawn these there and wait for them on their
/// own executor; results must be makeable from nothing.

struct Admission {
    std::size_t body_limit = 0;
    std::optional<Response> refusal;
};
/// Whether a request with a body may send it, and how much.
Task<Admission> admit_on_loop(std::shared_ptr<ServerState> state, Request request);
/// The answer to a whole request.
Task<Response> answer_on_loop(std::shared_ptr<ServerState> state, Request request);

struct SocketAdmission {
    const SocketRoute* route = nullptr;
    Request request;
    Response refusal;  ///< if there is no route
};
Task<SocketAdmission> admit_socket_on_loop(std::shared_ptr<ServerState> state, Request request);
/// Runs the socket's handler to its end; false if it was not run. An escaping exception is logged.
Task<bool> run_socket_on_loop(
    std::shared_ptr<ServerState> state,
    const SocketRoute* route,
    Request request,
    std::shared_ptr<WebSocketCore> core
);
/// The next piece of a streamed body; `stream` stays the caller's to release on the loop.
Task<std::optional<std::string>> next_piece_on_loop(std::shared_ptr<BodyStream> stream);

}  // namespace icos::http
