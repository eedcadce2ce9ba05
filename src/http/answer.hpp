// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/message.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace icos::http {

/// What an answer's head needs to know about the request and the connection.
struct AnswerContext {
    std::string_view request_id;
    std::string_view accept_encoding;
    std::size_t gzip_from = 1024;
    bool is_head = false;
    bool is_http_1_0 = false;
    bool keep_alive = true;
};

/// The bytes of a whole answer; compresses the body when that is worth it and asked for. Sets Content-Length.
std::string serialise(Response response, const AnswerContext& context);
/// The head of a streamed answer (chunked, or until the connection's end for HTTP/1.0).
std::string serialise_stream_head(const Response& response, const AnswerContext& context);
/// One chunk of a chunked body. `piece` is not empty.
std::string chunk(std::string_view piece);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// Whether an Accept-Encoding value allows gzip.
bool accepts_gzip(std::string_view accept_encoding);
/// gzip form of `text`; empty if zlib fails.
std::string gzip(std::string_view text);

}  // namespace icos::http
