// SPDX-License-Identifier: Apache-2.0
#include "http/client_parser.hpp"

#include "http/piece_body.hpp"
#include "icos/http/router.hpp"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <optional>

namespace icos::http {
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

struct ResponseParser::State {
    void renew() {
        parser.emplace();
        parser->header_limit(64U << 10U);
        parser->body_limit(boost::none);
        parser->eager(false);
        if (is_head) parser->skip(true);
    }

    std::optional<bhttp::response_parser<PieceBody>> parser;
    bool expects_upgrade = false;
    bool is_head = false;
    bool has_begun = false;
};

ResponseParser::ResponseParser(bool expects_upgrade, bool is_head) : state_(std::make_unique<State>()) {
    state_->expects_upgrade = expects_upgrade;
    state_->is_head = is_head;
    state_->renew();
}

ResponseParser::~ResponseParser() = default;

Result<std::size_t> ResponseParser::feed(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && !is_done()) {
        const bool had_head = has_head();
        const std::string_view rest = bytes.substr(used);
        beast::error_code ec;
        const std::size_t consumed = state_->parser->put(boost::asio::buffer(rest.data(), rest.size()), ec);
        used += consumed;
        if (consumed > 0) state_->has_begun = true;
        if (ec == bhttp::error::need_more) break;
        if (ec)
            return Error{errc::bad_response, "the server's answer is not valid HTTP/1.1: " + ec.message()};
        if (!had_head && has_head()) {
            const unsigned status = state_->parser->get().result_int();
            // Interim answers (100 Continue) are followed by the real one.
            if (status < 200 && status != 101) {
                state_->renew();
                continue;
            }
            break;
        }
        if (consumed == 0) break;
    }
    return used;
}

Result<void> ResponseParser::feed_end() {
    if (is_done()) return {};
    beast::error_code ec = bhttp::error::partial_message;
    if (state_->parser->got_some()) state_->parser->put_eof(ec);
    if (ec) return Error{errc::closed, "the server closed the connection before its answer was complete"};
    return {};
}

bool ResponseParser::has_head() const {
    return state_->parser->is_header_done();
}
bool ResponseParser::has_begun() const {
    return state_->has_begun;
}
bool ResponseParser::is_done() const {
    return state_->parser->is_done();
}
bool ResponseParser::keeps_alive() const {
    return state_->parser->keep_alive();
}

bool ResponseParser::is_raw() const {
    if (!state_->expects_upgrade || !has_head()) return false;
    const unsigned code = status();
    if (code == 101) return true;
    return code == 200 && !state_->parser->chunked() && !state_->parser->content_length();
}

unsigned ResponseParser::status() const {
    return state_->parser->get().result_int();
}

Headers ResponseParser::headers() const {
    Headers headers;
    for (const auto& field : state_->parser->get()) {
        const std::string_view name(field.name_string().data(), field.name_string().size());
        const std::string_view value(field.value().data(), field.value().size());
        const auto [it, added] = headers.try_emplace(std::string(name), value);
        if (!added) it->second.append(", ").append(value);
    }
    return headers;
}

std::string ResponseParser::take_piece() {
    std::string piece;
    piece.swap(state_->parser->get().body());
    return piece;
}

std::size_t ResponseParser::piece_size() const {
    return state_->parser->get().body().size();
}

std::string host_of(const Endpoint& endpoint) {
    if (endpoint.kind == Endpoint::Kind::unix_socket) return "localhost";
    const bool is_v6 = endpoint.host.find(':') != std::string::npos;
    const std::string host = is_v6 ? "[" + endpoint.host + "]" : endpoint.host;
    const std::uint16_t usual = endpoint.kind == Endpoint::Kind::tls ? 443 : 80;
    return endpoint.port == usual ? host : host + ":" + std::to_string(endpoint.port);
}

std::string serialise_request(const ClientRequest& request, const Endpoint& endpoint) {
    const auto clean = [](std::string_view value) {
        std::string out(value);
        std::erase_if(out, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
        return out;
    };
    std::string out(to_string(request.method));
    std::string target = clean(request.target);
    std::ranges::replace(target, ' ', '+');
    out.append(" ").append(target).append(" HTTP/1.1\r\nHost: ").append(host_of(endpoint)).append("\r\n");
    for (const auto& [name, value] : request.headers)
        out.append(clean(name)).append(": ").append(clean(value)).append("\r\n");
    if (!request.headers.contains("User-Agent")) out += "User-Agent: icos\r\n";
    const bool may_have_body = request.method != Method::get && request.method != Method::del;
    if (!request.body.empty() || may_have_body)
        out.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
    out += "\r\n";
    out += request.body;
    return out;
}

}  // namespace icos::http
