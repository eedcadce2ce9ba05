// SPDX-License-Identifier: Apache-2.0
#include "http/loop_side.hpp"

#include "icos/core/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace icos::http {
namespace {

constexpr std::string_view kBearer = "bearer ";

/// Replaces the caller by the one a token names. The error says what is wrong with the token.
std::optional<Error> identify(const ServerState& state, Request& request) {
    if (request.caller.role == Role::agent) return std::nullopt;
    const auto header = request.headers.find(std::string_view("Authorization"));
    if (header == request.headers.end()) return std::nullopt;
    const std::string_view value = header->second;
    const CaseInsensitiveLess less;
    const std::string_view scheme = value.substr(0, kBearer.size());
    if (less(scheme, kBearer) || less(kBearer, scheme)) {
        request.caller = Caller{};
        return Error{
            auth_errc::bad_token, "the Authorization header is not a bearer token", "send 'Bearer <token>'"
        };
    }
    auto caller = state.check ? state.check(value.substr(kBearer.size()))
                              : Result<Caller>(Error{auth_errc::bad_token, "this server takes no tokens"});
    if (caller.has_error()) {
        request.caller = Caller{};
        return caller.error();
    }
    request.caller = std::move(*caller);
    return std::nullopt;
}

/// A token that is wrong only matters where a caller is needed.
Error explain(const Error& refused, const std::optional<Error>& bad_token) {
    return bad_token && refused.code == auth_errc::required ? *bad_token : refused;
}

Response refuse(
    const ServerState& state,
    const Error& refused,
    const std::optional<Error>& bad_token,
    const Request& request
) {
    const Error error = explain(refused, bad_token);
    if (state.on_refused && error.code.category() == auth_domain()) state.on_refused(request, error);
    return state.router.refuse(error, request);
}

Response shutting_down(const Request& request) {
    return problem(
        Error{errc::shutting_down, "the server is shutting down", "try again"}, request.request_id
    );
}

}  // namespace

Task<Admission> admit_on_loop(std::shared_ptr<ServerState> state, Request request) {
    Admission admission;
    if (!state->is_alive) {
        admission.refusal = shutting_down(request);
        co_return admission;
    }
    const std::optional<Error> bad_token = identify(*state, request);
    const auto admitted = state->router.admit(request);
    if (admitted.has_error()) {
        admission.refusal = refuse(*state, admitted.error(), bad_token, request);
    } else {
        admission.body_limit = *admitted;
    }
    co_return admission;
}

Task<Response> answer_on_loop(std::shared_ptr<ServerState> state, Request request) {
    if (!state->is_alive) co_return shutting_down(request);
    const std::optional<Error> bad_token = identify(*state, request);
    // The router would refuse it as well, but not tell anybody.
    const auto admitted = state->router.admit(request);
    if (admitted.has_error()) co_return refuse(*state, admitted.error(), bad_token, request);
    co_return co_await state->router.dispatch(std::move(request));
}

Task<SocketAdmission> admit_socket_on_loop(std::shared_ptr<ServerState> state, Request request) {
    SocketAdmission admission;
    if (!state->is_alive || state->is_stopping) {
        admission.refusal = shutting_down(request);
        co_return admission;
    }
    const std::optional<Error> bad_token = identify(*state, request);
    admission.request = std::move(request);
    auto matched = co_await state->router.match_socket(admission.request);
    if (matched.has_error()) {
        admission.refusal = refuse(*state, matched.error(), bad_token, admission.request);
    } else {
        admission.route = *matched;
    }
    co_return admission;
}

Task<bool> run_socket_on_loop(
    std::shared_ptr<ServerState> state,
    const SocketRoute* route,
    Request request,
    std::shared_ptr<WebSocketCore> core
) {
    auto frames = open_frames(std::move(core), state->loop);
    if (!state->is_alive) co_return false;
    const std::string path = request.path;
    const std::string request_id = request.request_id;
    try {
        co_await route->handler(std::move(request), std::move(frames));
    } catch (const boost::system::system_error& e) {
        if (e.code() == boost::asio::error::operation_aborted) co_return true;
        Log("http").error(
            "a WebSocket's handler failed", {{"path", path}, {"request", request_id}, {"error", e.what()}}
        );
    } catch (const std::exception& e) {
        Log("http").error(
            "a WebSocket's handler failed", {{"path", path}, {"request", request_id}, {"error", e.what()}}
        );
    }
    co_return true;
}

Task<std::optional<std::string>> next_piece_on_loop(std::shared_ptr<BodyStream> stream) {
    auto piece = co_await stream->next();
    co_return piece;
}

}  // namespace icos::http
