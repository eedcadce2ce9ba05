// SPDX-License-Identifier: Apache-2.0
#include "http/session_parser.hpp"

#include "http/piece_body.hpp"
#include "http/target.hpp"
#include "icos/http/router.hpp"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include <limits>

namespace icos::http {
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

struct RequestParser::State {
    bhttp::request_parser<PieceBody> parser;
    bool begun = false;
};

namespace {

std::optional<Method> method_of(bhttp::verb verb) {
    switch (verb) {
        case bhttp::verb::get:
        case bhttp::verb::head:
            return Method::get;
        case bhttp::verb::post:
            return Method::post;
        case bhttp::verb::put:
            return Method::put;
        case bhttp::verb::patch:
            return Method::patch;
        case bhttp::verb::delete_:
            return Method::del;
        default:
            return std::nullopt;
    }
}

Error bad(std::string detail) {
    return Error{errc::bad_request, std::move(detail)};
}

}  // namespace

RequestParser::RequestParser(std::size_t header_limit) : state_(std::make_unique<State>()) {
    state_->parser.header_limit(static_cast<std::uint32_t>(header_limit));
    // Limits are per route and applied once the head is known, see start_body().
    state_->parser.body_limit(boost::none);
    state_->parser.eager(false);
}

RequestParser::~RequestParser() = default;

Result<std::size_t> RequestParser::feed(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && !state_->parser.is_done()) {
        const bool had_head = has_head();
        beast::error_code ec;
        const std::string_view rest = bytes.substr(used);
        const std::size_t consumed = state_->parser.put(boost::asio::buffer(rest.data(), rest.size()), ec);
        used += consumed;
        if (consumed > 0) state_->begun = true;
        if (ec == bhttp::error::need_more) break;
        if (ec == bhttp::error::header_limit) {
            return Error{errc::header_too_large, "the request's header fields are too large"};
        }
        if (ec == bhttp::error::body_limit)
            return Error{errc::body_too_large, "the request's body is too large"};
        if (ec) return bad("the request is not valid HTTP/1.1: " + ec.message());
        if (has_head() != had_head || consumed == 0) break;
    }
    return used;
}

bool RequestParser::has_head() const {
    return state_->parser.is_header_done();
}
bool RequestParser::is_done() const {
    return state_->parser.is_done();
}
bool RequestParser::has_begun() const {
    return state_->begun;
}

Result<RequestHead> RequestParser::take_head() {
    const auto& message = state_->parser.get();
    RequestHead head;
    head.is_http_1_0 = message.version() == 10;
    if (message.version() != 11 && message.version() != 10) return bad("only HTTP/1.1 is spoken here");
    head.keep_alive = state_->parser.keep_alive();
    head.is_head = message.method() == bhttp::verb::head;
    head.target = std::string(message.target());
    for (const auto& field : message) {
        const std::string_view name(field.name_string().data(), field.name_string().size());
        const std::string_view value(field.value().data(), field.value().size());
        const auto [it, added] = head.request.headers.try_emplace(std::string(name), value);
        if (!added) it->second.append(field.name() == bhttp::field::cookie ? "; " : ", ").append(value);
    }
    const std::size_t hosts = message.count(bhttp::field::host);
    if (hosts > 1 || (hosts == 0 && !head.is_http_1_0)) return bad("a request needs exactly one Host header");
    // Anything but chunked would leave the end of the body to guesswork, and guesses differ between two
    // parsers.
    if (message.count(bhttp::field::transfer_encoding) > 0 && !state_->parser.chunked()) {
        return bad("the only transfer encoding is chunked");
    }
    const auto method = method_of(message.method());
    if (!method) {
        return Error{
            errc::method_not_allowed,
            "the method " + std::string(message.method_string()) + " is not supported"
        };
    }
    head.request.method = *method;
    auto target = parse_target(head.target);
    if (target.has_error()) return target.error();
    head.request.path = std::move(target->path);
    head.request.query = std::move(target->query);
    head.has_body = !state_->parser.is_done();
    if (const auto length = state_->parser.content_length()) {
        head.content_length = *length > std::numeric_limits<std::size_t>::max()
                                  ? std::numeric_limits<std::size_t>::max()
                                  : static_cast<std::size_t>(*length);
    }
    head.expects_continue = beast::iequals(message[bhttp::field::expect], "100-continue");
    head.is_websocket = message.method() == bhttp::verb::get && message.version() == 11 &&
                        bhttp::token_list{message[bhttp::field::connection]}.exists("upgrade") &&
                        bhttp::token_list{message[bhttp::field::upgrade]}.exists("websocket");
    return head;
}

void RequestParser::start_body(std::size_t limit) {
    state_->parser.body_limit(limit);
}

std::string RequestParser::take_body() {
    return std::move(state_->parser.get().body());
}

}  // namespace icos::http
