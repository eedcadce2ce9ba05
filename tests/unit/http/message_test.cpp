// SPDX-License-Identifier: Apache-2.0
#include "icos/http/message.hpp"

#include "http/answer.hpp"
#include "http/session_parser.hpp"
#include "http/target.hpp"
#include "icos/http/client.hpp"
#include "icos/http/router.hpp"

#include <boost/json/object.hpp>
#include <catch2/catch.hpp>

namespace icos::http {
namespace {

Result<RequestHead> parse_head(std::string_view text) {
    RequestParser parser(4096);
    auto used = parser.feed(text);
    if (used.has_error()) return used.error();
    if (!parser.has_head()) return Error{errc::bad_request, "incomplete"};
    return parser.take_head();
}

}  // namespace

TEST_CASE("A target is split and decoded", "[http][message]") {
    const auto target = parse_target("/apps/a%20b?since=1%2B2&follow&x=a+b&x=c");

    REQUIRE(target.has_value());
    CHECK(target->path == "/apps/a b");
    CHECK(target->query.at("since") == "1+2");
    CHECK(target->query.at("follow").empty());
    CHECK(target->query.at("x") == "c");
}

TEST_CASE("A target whose meaning would change by decoding is refused", "[http][message]") {
    CHECK(parse_target("/apps/..%2Fetc").has_error());
    CHECK(parse_target("/apps/%00").has_error());
    CHECK(parse_target("/apps/%2").has_error());
    CHECK(parse_target("/apps/%zz").has_error());
    CHECK(parse_target("/a b").has_error());
    CHECK(parse_target("apps").has_error());
    CHECK(parse_target("*").has_error());
    CHECK(parse_target("http://host/apps").value().path == "/apps");
}

TEST_CASE("Percent encoding survives a round trip through a query", "[http][message]") {
    const std::string text = "a/b c+d&e=f%\xc3\xa9";

    const auto target = parse_target("/x?v=" + percent_encode(text));

    REQUIRE(target.has_value());
    CHECK(target->query.at("v") == text);
}

TEST_CASE("Header names ignore case", "[http][message]") {
    Headers headers;
    headers["Content-Type"] = "x";

    CHECK(headers.contains(std::string_view("content-type")));
    CHECK(headers.contains(std::string_view("CONTENT-TYPE")));
    CHECK_FALSE(headers.contains(std::string_view("content-typ")));
}

TEST_CASE("A query flag is on unless it says otherwise", "[http][message]") {
    Request request;
    request.query = {{"a", ""}, {"b", "true"}, {"c", "false"}, {"d", "0"}};

    CHECK(request.query_flag("a"));
    CHECK(request.query_flag("b"));
    CHECK_FALSE(request.query_flag("c"));
    CHECK_FALSE(request.query_flag("d"));
    CHECK_FALSE(request.query_flag("e"));
    CHECK(request.query_or("b", "x") == "true");
    CHECK(request.query_or("e", "x") == "x");
}

TEST_CASE("Requests that two parsers could read differently are refused", "[http][parser]") {
    CHECK(parse_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n").has_value());
    CHECK(parse_head("GET / HTTP/1.1\r\n\r\n").has_error());
    CHECK(parse_head("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").has_error());
    CHECK(parse_head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n").has_error());
    CHECK(parse_head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n")
              .has_error());
    CHECK(
        parse_head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n").has_error()
    );
    CHECK(parse_head("GET / HTTP/2.0\r\nHost: a\r\n\r\n").has_error());
    CHECK(parse_head("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").error().code == errc::method_not_allowed);
}

TEST_CASE("A head that grows beyond its limit is refused before it is complete", "[http][parser]") {
    RequestParser parser(256);
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(400, 'x');

    const auto used = parser.feed(text);

    REQUIRE(used.has_error());
    CHECK(used.error().code == errc::header_too_large);
}

TEST_CASE("The parser stops behind the request and leaves the next one", "[http][parser]") {
    RequestParser parser(4096);
    const std::string text = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /y HTTP/1.1\r\n";

    const std::size_t head = parser.feed(text).value();
    REQUIRE(parser.has_head());
    CHECK(parser.take_head()->content_length == 3U);
    parser.start_body(10);
    const std::size_t body = parser.feed(std::string_view(text).substr(head)).value();

    CHECK(parser.is_done());
    CHECK(parser.take_body() == "abc");
    CHECK(text.substr(head + body) == "GET /y HTTP/1.1\r\n");
}

TEST_CASE("A chunked body is held against its limit as it comes", "[http][parser]") {
    RequestParser parser(4096);
    const std::string head = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(parser.feed(head).value() == head.size());
    parser.start_body(5);

    const auto used = parser.feed("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");

    REQUIRE(used.has_error());
    CHECK(used.error().code == errc::body_too_large);
}

TEST_CASE("A value cannot smuggle a header or an answer", "[http][answer]") {
    Response response = Response::json("{}");
    response.headers["X-Name"] = "a\r\nSet-Cookie: b";
    response.headers["Content-Length"] = "7";
    AnswerContext context;
    context.request_id = "r-1";

    const std::string text = serialise(response, context);

    CHECK(text.find("X-Name: aSet-Cookie: b\r\n") != std::string::npos);
    CHECK(text.find("Content-Length: 2\r\n") != std::string::npos);
    CHECK(text.find("Content-Length: 7") == std::string::npos);
}

TEST_CASE("gzip is chosen by what the client weighs", "[http][answer]") {
    CHECK(accepts_gzip("gzip"));
    CHECK(accepts_gzip("deflate, GZIP;q=0.5"));
    CHECK(accepts_gzip("*"));
    CHECK_FALSE(accepts_gzip("gzip;q=0"));
    CHECK_FALSE(accepts_gzip("gzip;q=0.0, *"));
    CHECK_FALSE(accepts_gzip("deflate, br"));
    CHECK_FALSE(accepts_gzip(""));
}

TEST_CASE("Addresses of people become endpoints", "[http][endpoint]") {
    CHECK(parse_endpoint("unix:///run/x.sock")->host == "/run/x.sock");
    CHECK(parse_endpoint("http://127.0.0.1:7480")->kind == Endpoint::Kind::plain);
    CHECK(parse_endpoint("https://c.example:7443/")->port == 7443);
    CHECK(parse_endpoint("c.example:7443")->kind == Endpoint::Kind::tls);
    CHECK(parse_endpoint("c.example")->port == 7443);
    CHECK(parse_endpoint("https://[::1]:7443")->host == "::1");
    for (const std::string_view bad :
         {"",
          "ftp://x",
          "http://",
          "http://x:0",
          "http://x:70000",
          "http://x:7a",
          "unix://x",
          "http://x/path",
          "::1",
          "http://a b",
          "http://[::1"}) {
        INFO(bad);
        CHECK(parse_endpoint(bad).has_error());
    }
}

TEST_CASE("An error keeps the server's own code", "[http][error]") {
    ClientResponse response;
    response.status = 409;
    response.body = R"({"status":409,"code":"app.deleting","detail":"d","hint":"h","by":"x"})";

    const Error error = error_from(response);

    CHECK(stable_code(error) == "app.deleting");
    CHECK(kind_of(error) == ErrorKind::conflict);
    CHECK(error.detail == "d");
    CHECK(error.hint == "h");
    REQUIRE(error.extra);
    CHECK(error.extra->at("by") == "x");
    CHECK(error_from(response).code == error.code);
}

TEST_CASE("A code of this program's own comes back as its own", "[http][error]") {
    ClientResponse response;
    response.status = 401;
    response.body = R"({"code":"auth.bad_token"})";
    CHECK(error_from(response).code == auth_errc::bad_token);
}

TEST_CASE("Answers that are no problem documents still become clear errors", "[http][error]") {
    ClientResponse docker;
    docker.status = 404;
    docker.body = R"({"message":"No such image: x"})";
    ClientResponse proxy;
    proxy.status = 502;
    proxy.body = "<html>";

    CHECK(error_from(docker).detail == "No such image: x");
    CHECK(error_from(docker).code == icos::errc::not_found);
    CHECK(error_from(proxy).detail == "the server answered 502 Bad Gateway: <html>");
    CHECK(error_from(proxy).code == errc::bad_response);
}

}  // namespace icos::http
