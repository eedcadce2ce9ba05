// SPDX-License-Identifier: Apache-2.0
#include "icos/http/router.hpp"

#include "icos/core/log.hpp"
#include "run_task.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include <array>
#include <stdexcept>

namespace icos::http {
namespace {

namespace json = boost::json;

Caller caller_of(Role role) {
    Caller caller;
    caller.subject = "somebody";
    caller.role = role;
    return caller;
}

Request request_of(Method method, std::string path, Role role = Role::admin) {
    Request request;
    request.method = method;
    request.path = std::move(path);
    request.caller = caller_of(role);
    request.request_id = "r-1";
    return request;
}

Task<Result<Response>> answer(std::string text) {
    co_return Response::json(std::move(text));
}
Task<Result<Response>> answer_params(Request request) {
    std::string text;
    for (const auto& [name, value] : request.params) text += name + "=" + value + ";";
    co_return Response::json(text);
}
Task<Result<Response>> fail_with(Error error) {
    co_return error;
}
Task<Result<Response>> throw_logic_error() {
    throw std::logic_error("the password is hunter2");
    co_return Response::no_content();
}

Route route_of(Method method, std::string pattern, Handler handler, Access access = Access::read) {
    Route route;
    route.method = method;
    route.pattern = std::move(pattern);
    route.access = access;
    route.handler = std::move(handler);
    return route;
}

Response dispatch(Router& router, Request request) {
    return icos::test::run(router.dispatch(std::move(request)));
}

json::object problem_of(const Response& response) {
    CHECK(response.content_type == "application/problem+json");
    return json::parse(response.body).as_object();
}

}  // namespace

TEST_CASE("A route's parameters are the segments of the path", "[http][router]") {
    Router router;
    router.add(route_of(Method::get, "/apps/{name}/logs/{part}", answer_params));

    CHECK(dispatch(router, request_of(Method::get, "/apps/hello/logs/web")).body == "name=hello;part=web;");
    CHECK(dispatch(router, request_of(Method::get, "/apps/hello/logs")).status == 404);
    CHECK(dispatch(router, request_of(Method::get, "/apps//logs/web")).status == 404);
    CHECK(dispatch(router, request_of(Method::get, "/apps/hello/logs/web/")).status == 404);
}

TEST_CASE("A literal segment wins over a parameter whatever the order of registration", "[http][router]") {
    Router router;
    router.add(route_of(Method::get, "/apps/{name}", [](const Request&) { return answer("parameter"); }));
    router.add(route_of(Method::get, "/apps/all", [](const Request&) { return answer("literal"); }));

    CHECK(dispatch(router, request_of(Method::get, "/apps/all")).body == "literal");
    CHECK(dispatch(router, request_of(Method::get, "/apps/one")).body == "parameter");
}

TEST_CASE("Two routes for one method and shape of path are a programming error", "[http][router]") {
    Router router;
    router.add(route_of(Method::get, "/apps/{name}", answer_params));

    CHECK_THROWS_AS(router.add(route_of(Method::get, "/apps/{id}", answer_params)), std::logic_error);
    CHECK_NOTHROW(router.add(route_of(Method::put, "/apps/{id}", answer_params)));
    CHECK_THROWS_AS(router.add(route_of(Method::get, "apps", answer_params)), std::logic_error);
}

TEST_CASE("A known path with another method is 405 and says what it takes", "[http][router]") {
    Router router;
    router.add(route_of(Method::get, "/apps/{name}", answer_params));
    router.add(route_of(Method::put, "/apps/{name}", answer_params));

    const Response response = dispatch(router, request_of(Method::post, "/apps/hello"));

    CHECK(response.status == 405);
    CHECK(response.headers.at("Allow") == "GET, HEAD, PUT");
    CHECK(problem_of(response).at("code") == "http.method_not_allowed");
}

TEST_CASE(
    "A problem document carries code, detail, hint, request id and further members", "[http][problem]"
) {
    Error error{errc::no_route, "there is nothing at /x", "look elsewhere"};
    json::object extra;
    extra["needed"] = 7;
    extra["status"] = 299;
    error.extra = std::make_shared<const json::object>(extra);

    const Response response = problem(error, "r-1");
    const json::object body = problem_of(response);

    CHECK(response.status == 404);
    CHECK(body.at("type") == "about:blank");
    CHECK(body.at("title") == "Not Found");
    CHECK(body.at("status") == 404);
    CHECK(body.at("code") == "http.no_route");
    CHECK(body.at("detail") == "there is nothing at /x");
    CHECK(body.at("hint") == "look elsewhere");
    CHECK(body.at("request_id") == "r-1");
    CHECK(body.at("needed") == 7);
}

TEST_CASE("An internal error tells the caller nothing but its request id", "[http][router]") {
    configure_logging({.to_stderr = false});
    Router router;
    router.add(route_of(Method::get, "/throws", [](const Request&) { return throw_logic_error(); }));
    router.add(route_of(Method::get, "/fails", [](const Request&) {
        return fail_with(Error{icos::errc::internal, "row 7 of table secrets", "read the source"});
    }));

    for (const std::string path : {"/throws", "/fails"}) {
        const Response response = dispatch(router, request_of(Method::get, path));
        const json::object body = problem_of(response);
        CHECK(response.status == 500);
        CHECK(body.at("code") == "core.internal");
        CHECK(body.at("request_id") == "r-1");
        CHECK_FALSE(body.contains("detail"));
        CHECK_FALSE(body.contains("hint"));
    }
}

TEST_CASE("A code of a foreign category is not shown", "[http][problem]") {
    const Response response =
        problem(Error{boost::system::errc::make_error_code(boost::system::errc::io_error), "x"}, "r-1");

    CHECK(response.status == 500);
    CHECK(problem_of(response).at("code") == "core.internal");
}

TEST_CASE("Each kind of error has its status", "[http][problem]") {
    const auto status = [](boost::system::error_code code) { return status_of(Error{code, ""}); };
    CHECK(status(errc::bad_request) == 400);
    CHECK(status(auth_errc::required) == 401);
    CHECK(status(auth_errc::bad_token) == 401);
    CHECK(status(auth_errc::forbidden) == 403);
    CHECK(status(errc::no_route) == 404);
    CHECK(status(errc::method_not_allowed) == 405);
    CHECK(status(errc::timeout) == 408);
    CHECK(status(errc::body_too_large) == 413);
    CHECK(status(errc::header_too_large) == 431);
    CHECK(status(icos::errc::busy) == 429);
    CHECK(status(errc::bad_response) == 502);
    CHECK(status(errc::shutting_down) == 503);
    CHECK(status(icos::errc::timed_out) == 504);
}

TEST_CASE("Every role is let into exactly what it may do", "[http][auth]") {
    constexpr std::array kAccesses{Access::open, Access::read, Access::write, Access::admin, Access::agent};
    struct Row {
        Role role;
        std::array<bool, 5> allowed;
    };
    const std::array<Row, 5> rows{{
        {Role::none, {true, false, false, false, false}},
        {Role::reader, {true, true, false, false, false}},
        {Role::writer, {true, true, true, false, false}},
        {Role::admin, {true, true, true, true, false}},
        {Role::agent, {true, false, false, false, true}},
    }};
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < kAccesses.size(); ++i) {
            INFO("role " << static_cast<int>(row.role) << ", access " << to_string(kAccesses.at(i)));
            CHECK(
                authorize(caller_of(row.role), kAccesses.at(i), "default").has_value() == row.allowed.at(i)
            );
        }
    }
    CHECK(authorize(caller_of(Role::none), Access::read, "default").error().code == auth_errc::required);
    CHECK(authorize(caller_of(Role::reader), Access::write, "default").error().code == auth_errc::forbidden);
}

TEST_CASE("A caller without the role does not reach the handler", "[http][router]") {
    Router router;
    bool is_called = false;
    router.add(route_of(
        Method::get,
        "/secret",
        [&is_called](const Request&) {
            is_called = true;
            return answer("secret");
        },
        Access::admin
    ));

    CHECK(dispatch(router, request_of(Method::get, "/secret", Role::none)).status == 401);
    CHECK(dispatch(router, request_of(Method::get, "/secret", Role::reader)).status == 403);
    CHECK_FALSE(is_called);
    CHECK(
        dispatch(router, request_of(Method::get, "/secret", Role::none)).headers.at("WWW-Authenticate") ==
        "Bearer"
    );
}

TEST_CASE("A body over the route's limit is refused", "[http][router]") {
    Router router;
    Route route = route_of(Method::post, "/apps", answer_params);
    route.body_limit = 4;
    router.add(std::move(route));
    Request request = request_of(Method::post, "/apps");
    request.body = "12345";

    CHECK(dispatch(router, std::move(request)).status == 413);
    CHECK(router.body_limit(Method::post, "/apps") == 4);
}

TEST_CASE("A WebSocket's path asked for in plain HTTP says so", "[http][router]") {
    Router router;
    SocketRoute socket;
    socket.pattern = "/link/{id}";
    socket.access = Access::read;
    router.add(std::move(socket));

    const Response response = dispatch(router, request_of(Method::get, "/link/7"));
    Request request = request_of(Method::get, "/link/7");
    const auto matched = icos::test::run(router.match_socket(request));

    CHECK(response.status == 400);
    REQUIRE(matched.has_value());
    CHECK(request.param("id") == "7");
}

TEST_CASE("The list of routes names sockets and their access", "[http][router]") {
    Router router;
    router.add(route_of(Method::del, "/apps/{name}", answer_params, Access::write));
    SocketRoute socket;
    socket.pattern = "/link";
    socket.access = Access::agent;
    router.add(std::move(socket));

    const auto listed = router.list();

    REQUIRE(listed.size() == 2);
    CHECK(listed[0].method == "DELETE");
    CHECK(listed[0].access == Access::write);
    CHECK(listed[1].socket);
    CHECK(listed[1].method == "GET");
}

}  // namespace icos::http
