// SPDX-License-Identifier: Apache-2.0
#include "http/answer.hpp"

#include "http/target.hpp"

#include <algorithm>
#include <array>
#include <zlib.h>

namespace icos::http {
namespace {

std::string_view trim(std::string_view text) {
    const std::size_t from = text.find_first_not_of(" \t");
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    const CaseInsensitiveLess less;
    return !less(a, b) && !less(b, a);
}

/// Line breaks in a value would start another field, or another answer.
void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    std::ranges::copy_if(value, std::back_inserter(out), [](char c) {
        return c != '\r' && c != '\n' && c != '\0';
    });
    out += "\r\n";
}

bool is_own_field(std::string_view name) {
    static constexpr std::array<std::string_view, 5> kOwn{
        "Content-Length", "Transfer-Encoding", "Connection", "Content-Type", "X-Request-Id"
    };
    return std::ranges::any_of(kOwn, [name](std::string_view own) {
        return equals_ignoring_case(own, name);
    });
}

bool is_compressible(std::string_view type) {
    return type.starts_with("text/") || type.find("json") != std::string_view::npos ||
           type.find("yaml") != std::string_view::npos || type.find("javascript") != std::string_view::npos ||
           type.find("svg") != std::string_view::npos;
}

void append_head(std::string& out, const Response& response, const AnswerContext& context) {
    out += "HTTP/1.1 ";
    out += std::to_string(response.status);
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\n";
    append_field(out, "Server", "icos");
    append_field(out, "X-Request-Id", context.request_id);
    if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
    for (const auto& [name, value] : response.headers) {
        if (!is_own_field(name)) append_field(out, name, value);
    }
    if (!context.keep_alive) {
        append_field(out, "Connection", "close");
    } else if (context.is_http_1_0) {
        append_field(out, "Connection", "keep-alive");
    }
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
    bool any = false;
    while (!accept_encoding.empty()) {
        const std::size_t comma = std::min(accept_encoding.find(','), accept_encoding.size());
        const std::string_view item = accept_encoding.substr(0, comma);
        accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
        const std::size_t semicolon = std::min(item.find(';'), item.size());
        const std::string_view coding = trim(item.substr(0, semicolon));
        std::string_view weight = trim(item.substr(std::min(semicolon + 1, item.size())));
        if (weight.starts_with("q=") || weight.starts_with("Q=")) weight.remove_prefix(2);
        const bool refused = !weight.empty() && weight.find_first_not_of("0.") == std::string_view::npos;
        if (equals_ignoring_case(coding, "gzip")) return !refused;
        if (coding == "*") any = !refused;
    }
    return any;
}

std::string gzip(std::string_view text) {
    z_stream stream{};
    // 15 bits of window and 16 for the gzip wrapper. Level 1: answers are compressed once and read once.
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
    std::string out(deflateBound(&stream, text.size()), '\0');
    // zlib does not write to its input.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int outcome = deflate(&stream, Z_FINISH);
    out.resize(outcome == Z_STREAM_END ? static_cast<std::size_t>(stream.total_out) : 0);
    deflateEnd(&stream);
    return out;
}

std::string serialise(Response response, const AnswerContext& context) {
    const bool may_compress = response.body.size() >= context.gzip_from &&
                              !response.headers.contains("Content-Encoding") &&
                              is_compressible(response.content_type);
    if (may_compress) {
        response.headers.insert_or_assign("Vary", "Accept-Encoding");
        std::string packed = accepts_gzip(context.accept_encoding) ? gzip(response.body) : std::string();
        if (!packed.empty() && packed.size() < response.body.size()) {
            response.body = std::move(packed);
            response.headers.insert_or_assign("Content-Encoding", "gzip");
        }
    }
    const bool has_body = response.status != 204 && response.status != 304;
    std::string out;
    out.reserve(256 + (has_body ? response.body.size() : 0));
    append_head(out, response, context);
    if (has_body) append_field(out, "Content-Length", std::to_string(response.body.size()));
    out += "\r\n";
    if (has_body && !context.is_head) out += response.body;
    return out;
}

std::string serialise_stream_head(const Response& response, const AnswerContext& context) {
    std::string out;
    append_head(out, response, context);
    if (!context.is_http_1_0) append_field(out, "Transfer-Encoding", "chunked");
    out += "\r\n";
    return out;
}

std::string chunk(std::string_view piece) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string size;
    for (std::size_t rest = piece.size(); rest > 0; rest >>= 4U)
        size.insert(size.begin(), kDigits[rest & 15U]);
    std::string out;
    out.reserve(size.size() + piece.size() + 4);
    out.append(size).append("\r\n").append(piece).append("\r\n");
    return out;
}

}  // namespace icos::http
