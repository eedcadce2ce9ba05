// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/message.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace icos::http {

/// http.bad_request, http.no_route (404), http.method_not_allowed (405), http.body_too_large (413),
/// http.header_too_large (431), http.timeout (408), http.shutting_down (503), http.too_many_connections.
enum class errc {
    bad_request = 1,
    no_route,
    method_not_allowed,
    body_too_large,
    header_too_large,
    timeout,
    shutting_down,
    too_many_connections,
    connect_failed,
    closed,
    bad_response,
    tls_failed,
    pin_mismatch
};
const ErrorDomain& http_domain() noexcept;
inline boost::system::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), http_domain()};
}

/// auth.required (401), auth.forbidden (403), auth.bad_token (401).
enum class auth_errc { required = 1, forbidden, bad_token };
const ErrorDomain& auth_domain() noexcept;
inline boost::system::error_code make_error_code(auth_errc e) noexcept {
    return {static_cast<int>(e), auth_domain()};
}

/// Whether `caller` may use a route of `access` in `project`. The one place that decides; a module may ask
/// again for a finer subject. OIDC and roles per project widen it behind this signature.
Result<void> authorize(const Caller& caller, Access access, std::string_view project);

/// Route table of one service and its dispatcher. Loop-confined; routes are added before the server listens.
/// A literal segment wins over a `{name}`. Adding a route twice, or a pattern without a leading slash, throws
/// logic_error.
class Router {
public:
    void add(Route route);
    void add(SocketRoute route);

    /// Matches, authorises, runs the handler, turns errors (and exceptions) into problem documents. Always
    /// answers. HEAD is served as GET by the server.
    Task<Response> dispatch(Request request);
    /// What `dispatch` would say before the body is read: the route's body limit, or http.no_route,
    /// http.method_not_allowed, auth.*. Needs method, path, query and caller only.
    Result<std::size_t> admit(const Request& request) const;
    /// The problem document for `error`, with `Allow` where it belongs.
    Response refuse(const Error& error, const Request& request) const;
    /// The socket route for a request, after authorisation and its check; an error to answer otherwise.
    Task<Result<const SocketRoute*>> match_socket(Request& request);
    /// Largest body a request for this method and path may have, before its body is read.
    std::size_t body_limit(Method method, std::string_view path) const;

    struct Listed {
        std::string method;  ///< "GET" …; "GET" for socket routes
        std::string pattern;
        Access access;
        std::string summary;
        bool socket = false;
    };
    std::vector<Listed> list() const;

private:
    std::vector<Route> routes_;
    std::vector<SocketRoute> sockets_;
};

/// RFC 9457 `application/problem+json` with `type`, `title`, `status`, `code`, `detail`, `hint`, `request_id`
/// and the members of `Error::extra`. 5xx of kind `internal` carry no detail.
Response problem(const Error& error, std::string_view request_id);
unsigned status_of(const Error& error) noexcept;

}  // namespace icos::http

template <>
struct boost::system::is_error_code_enum<icos::http::errc> : std::true_type {};
template <>
struct boost::system::is_error_code_enum<icos::http::auth_errc> : std::true_type {};
