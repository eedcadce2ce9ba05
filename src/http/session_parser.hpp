// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/message.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

namespace icos::http {

/// The head of a request as it came in.
struct RequestHead {
    Request request;       ///< method, path, query, headers; nothing else yet
    std::string target;    ///< path and query as sent
    bool is_head = false;  ///< HEAD, to be served as GET
    bool is_http_1_0 = false;
    bool keep_alive = true;
    bool expects_continue = false;
    bool is_websocket = false;
    bool has_body = false;
    std::optional<std::size_t> content_length;
};

/// Turns bytes into one request: head first, then, once the body's limit is known, the body. Pure.
class RequestParser {
public:
    explicit RequestParser(std::size_t header_limit);
    ~RequestParser();
    RequestParser(const RequestParser&) = delete;
    RequestParser& operator=(const RequestParser&) = delete;

    /// Consumes from `bytes` and returns how many; stops behind the head, and behind the body.
    /// http.bad_request, http.header_too_large or http.body_too_large; the connection cannot go on after an
    /// error.
    Result<std::size_t> feed(std::string_view bytes);
    bool has_head() const;
    bool is_done() const;
    /// Whether any byte was consumed.
    bool has_begun() const;
    /// Valid once has_head(). http.bad_request for what HTTP allows but this server does not.
    Result<RequestHead> take_head();
    /// Lets `feed` go on to the body, of at most `limit` bytes.
    void start_body(std::size_t limit);
    std::string take_body();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace icos::http
