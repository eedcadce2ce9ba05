// SPDX-License-Identifier: Apache-2.0
#include "icos/http/router.hpp"

#include "icos/core/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <stdexcept>

namespace icos::http {
namespace {

constexpr std::size_t kUnroutedBodyLimit = 64U << 10U;

const Log& log() {
    static const Log instance("http");
    return instance;
}

/// Takes the next segment off `rest` (which starts with '/'); false at the end.
bool next_segment(std::string_view& rest, std::string_view& segment) {
    if (rest.empty()) return false;
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('/'), rest.size());
    segment = rest.substr(0, end);
    rest.remove_prefix(end);
    return true;
}

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.starts_with('{') && segment.ends_with('}');
}

bool matches(std::string_view pattern, std::string_view path) {
    std::string_view want;
    std::string_view have;
    while (true) {
        const bool more_pattern = next_segment(pattern, want);
        const bool more_path = next_segment(path, have);
        if (more_pattern != more_path) return false;
        if (!more_pattern) return true;
        if (is_parameter(want) ? have.empty() : want != have) return false;
    }
}

/// Of two patterns that match one path: whether `a` has a literal where they first differ in kind.
bool is_more_specific(std::string_view a, std::string_view b) {
    std::string_view left;
    std::string_view right;
    while (next_segment(a, left) && next_segment(b, right)) {
        if (is_parameter(left) != is_parameter(right)) return !is_parameter(left);
    }
    return false;
}

bool is_same_shape(std::string_view a, std::string_view b) {
    std::string_view left;
    std::string_view right;
    while (true) {
        const bool more_a = next_segment(a, left);
        const bool more_b = next_segment(b, right);
        if (more_a != more_b) return false;
        if (!more_a) return true;
        if (is_parameter(left) != is_parameter(right)) return false;
        if (!is_parameter(left) && left != right) return false;
    }
}

void bind_params(std::string_view pattern, Request& request) {
    request.params.clear();
    std::string_view path = request.path;
    std::string_view name;
    std::string_view value;
    while (next_segment(pattern, name) && next_segment(path, value)) {
        if (is_parameter(name)) request.params.emplace(name.substr(1, name.size() - 2), value);
    }
}

template <class Routes, class Accept>
auto best_match(const Routes& routes, std::string_view path, Accept accept) -> decltype(routes.data()) {
    decltype(routes.data()) best = nullptr;
    if (!path.starts_with('/')) return best;
    for (const auto& route : routes) {
        if (!accept(route) || !matches(route.pattern, path)) continue;
        if (best == nullptr || is_more_specific(route.pattern, best->pattern)) best = &route;
    }
    return best;
}

const Route* find_route(const std::vector<Route>& routes, Method method, std::string_view path) {
    return best_match(routes, path, [method](const Route& route) { return route.method == method; });
}

const SocketRoute* find_socket(const std::vector<SocketRoute>& sockets, std::string_view path) {
    return best_match(sockets, path, [](const SocketRoute&) { return true; });
}

std::string allowed_methods(const std::vector<Route>& routes, std::string_view path) {
    std::string allowed;
    for (const Method method : {Method::get, Method::post, Method::put, Method::patch, Method::del}) {
        if (find_route(routes, method, path) == nullptr) continue;
        if (!allowed.empty()) allowed += ", ";
        allowed += to_string(method);
        if (method == Method::get) allowed += ", HEAD";
    }
    return allowed;
}

void check_pattern(std::string_view pattern) {
    if (!pattern.starts_with('/'))
        throw std::logic_error("route pattern '" + std::string(pattern) + "' has no leading slash");
}

Error no_route(const std::string& path) {
    return Error{errc::no_route, "there is nothing at " + path, "GET /openapi.json lists the routes"};
}

}  // namespace

Result<void> authorize(const Caller& caller, Access access, std::string_view project) {
    if (access == Access::open) return {};
    if (access == Access::agent) {
        if (caller.role == Role::agent) return {};
        return Error{
            auth_errc::forbidden, "this is for agents only", "agents connect over TLS with ALPN icos-agent/1"
        };
    }
    if (caller.role == Role::none) {
        return Error{
            auth_errc::required,
            "this needs a known caller",
            "send 'Authorization: Bearer <token>', or use the Unix socket on the controller's host"
        };
    }
    bool allowed = caller.role == Role::admin;
    if (caller.role == Role::writer) allowed = access == Access::read || access == Access::write;
    if (caller.role == Role::reader) allowed = access == Access::read;
    if (allowed) return {};
    return Error{
        auth_errc::forbidden,
        caller.subject + " may not do this in project '" + std::string(project) + "': it needs " +
            std::string(to_string(access)) + " access",
        "use a caller with that role"
    };
}

void Router::add(Route route) {
    check_pattern(route.pattern);
    for (const Route& other : routes_) {
        if (other.method == route.method && is_same_shape(other.pattern, route.pattern)) {
            throw std::logic_error(
                "two routes claim " + std::string(to_string(route.method)) + " " + route.pattern
            );
        }
    }
    routes_.push_back(std::move(route));
}

void Router::add(SocketRoute route) {
    check_pattern(route.pattern);
    for (const SocketRoute& other : sockets_) {
        if (is_same_shape(other.pattern, route.pattern)) {
            throw std::logic_error("two socket routes claim " + route.pattern);
        }
    }
    sockets_.push_back(std::move(route));
}

Result<std::size_t> Router::admit(const Request& request) const {
    const Route* route = find_route(routes_, request.method, request.path);
    if (route == nullptr) {
        const std::string allowed = allowed_methods(routes_, request.path);
        if (!allowed.empty()) {
            return Error{
                errc::method_not_allowed,
                std::string(to_string(request.method)) + " is not possible on " + request.path,
                "it takes " + allowed
            };
        }
        const SocketRoute* socket = find_socket(sockets_, request.path);
        if (socket == nullptr) return no_route(request.path);
        auto allowed_caller =
            authorize(request.caller, socket->access, request.query_or("project", "default"));
        if (allowed_caller.has_error()) return allowed_caller.error();
        return Error{
            errc::bad_request, request.path + " is a WebSocket", "connect with GET and 'Upgrade: websocket'"
        };
    }
    auto allowed_caller = authorize(request.caller, route->access, request.query_or("project", "default"));
    if (allowed_caller.has_error()) return allowed_caller.error();
    return route->body_limit;
}

Response Router::refuse(const Error& error, const Request& request) const {
    Response response = problem(error, request.request_id);
    if (error.code == errc::method_not_allowed)
        response.headers["Allow"] = allowed_methods(routes_, request.path);
    return response;
}

Task<Response> Router::dispatch(Request request) {
    const auto admitted = admit(request);
    if (admitted.has_error()) co_return refuse(admitted.error(), request);
    if (request.body.size() > *admitted) {
        const Error error{
            errc::body_too_large,
            "the body has " + std::to_string(request.body.size()) + " bytes, the limit is " +
                std::to_string(*admitted)
        };
        co_return refuse(error, request);
    }
    const Route* route = find_route(routes_, request.method, request.path);
    bind_params(route->pattern, request);
    const std::string request_id = request.request_id;
    const std::string path = request.path;
    Error failure{icos::errc::internal, ""};
    try {
        auto answer = co_await route->handler(std::move(request));
        if (answer.has_value()) co_return std::move(*answer);
        failure = answer.error();
    } catch (const boost::system::system_error& e) {
        failure = e.code() == boost::asio::error::operation_aborted
                      ? Error{errc::shutting_down, "the request was cancelled", "try again"}
                      : Error{icos::errc::internal, e.what()};
    } catch (const std::exception& e) {
        failure = Error{icos::errc::internal, e.what()};
    }
    if (kind_of(failure) == ErrorKind::internal) {
        log().error(
            "request failed",
            {{"route", route->pattern}, {"path", path}, {"request", request_id}, {"error", describe(failure)}}
        );
    }
    co_return problem(failure, request_id);
}

Task<Result<const SocketRoute*>> Router::match_socket(Request& request) {
    const SocketRoute* socket = find_socket(sockets_, request.path);
    if (socket == nullptr) co_return no_route(request.path);
    auto allowed = authorize(request.caller, socket->access, request.query_or("project", "default"));
    if (allowed.has_error()) co_return allowed.error();
    bind_params(socket->pattern, request);
    if (!socket->check) co_return socket;
    Error failure{icos::errc::internal, ""};
    try {
        auto checked = co_await socket->check(request);
        if (checked.has_value()) co_return socket;
        failure = checked.error();
    } catch (const boost::system::system_error& e) {
        failure = e.code() == boost::asio::error::operation_aborted
                      ? Error{errc::shutting_down, "the request was cancelled", "try again"}
                      : Error{icos::errc::internal, e.what()};
    } catch (const std::exception& e) {
        failure = Error{icos::errc::internal, e.what()};
    }
    if (kind_of(failure) == ErrorKind::internal) {
        log().error(
            "upgrade failed",
            {{"route", socket->pattern}, {"request", request.request_id}, {"error", describe(failure)}}
        );
    }
    co_return failure;
}

std::size_t Router::body_limit(Method method, std::string_view path) const {
    const Route* route = find_route(routes_, method, path);
    return route == nullptr ? kUnroutedBodyLimit : route->body_limit;
}

std::vector<Router::Listed> Router::list() const {
    std::vector<Listed> listed;
    listed.reserve(routes_.size() + sockets_.size());
    for (const Route& route : routes_) {
        listed.push_back(
            {std::string(to_string(route.method)), route.pattern, route.access, route.summary, false}
        );
    }
    for (const SocketRoute& socket : sockets_) {
        listed.push_back({"GET", socket.pattern, socket.access, socket.summary, true});
    }
    return listed;
}

}  // namespace icos::http
