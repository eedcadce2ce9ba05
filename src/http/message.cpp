// SPDX-License-Identifier: Apache-2.0
#include "icos/http/message.hpp"

#include "http/target.hpp"
#include "icos/http/client.hpp"
#include "icos/http/router.hpp"

#include <algorithm>

namespace icos::http {
namespace {

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Error bad_target(std::string detail) {
    return Error{errc::bad_request, std::move(detail)};
}

enum class Part { path, query };

Result<std::string> decode(std::string_view text, Part part) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '+' && part == Part::query) {
            out.push_back(' ');
            continue;
        }
        if (c != '%') {
            out.push_back(c);
            continue;
        }
        const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
        if (low < 0) return bad_target("the request target has a '%' without two hexadecimal digits");
        const int value = high * 16 + low;
        if (part == Part::path && (value == 0 || value == '/')) {
            return bad_target("the request path has an encoded slash or NUL");
        }
        out.push_back(static_cast<char>(value));
        i += 2;
    }
    return out;
}

}  // namespace

std::string_view to_string(Method method) noexcept {
    switch (method) {
        case Method::get:
            return "GET";
        case Method::post:
            return "POST";
        case Method::put:
            return "PUT";
        case Method::patch:
            return "PATCH";
        case Method::del:
            return "DELETE";
    }
    return "GET";
}

std::string_view to_string(Access access) noexcept {
    switch (access) {
        case Access::open:
            return "open";
        case Access::read:
            return "read";
        case Access::write:
            return "write";
        case Access::admin:
            return "admin";
        case Access::agent:
            return "agent";
    }
    return "admin";
}

bool CaseInsensitiveLess::operator()(std::string_view a, std::string_view b) const noexcept {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return lower(x) < lower(y);
    });
}

std::string_view Request::param(std::string_view name) const {
    const auto it = params.find(name);
    return it == params.end() ? std::string_view{} : std::string_view(it->second);
}

std::string_view Request::query_or(std::string_view key, std::string_view fallback) const {
    const auto it = query.find(key);
    return it == query.end() ? fallback : std::string_view(it->second);
}

bool Request::query_flag(std::string_view key) const {
    const auto it = query.find(key);
    return it != query.end() && it->second != "false" && it->second != "0";
}

Response Response::json(std::string text, unsigned status) {
    Response response;
    response.status = status;
    response.body = std::move(text);
    return response;
}

Response Response::no_content() {
    Response response;
    response.status = 204;
    response.content_type.clear();
    return response;
}

std::string percent_encode(std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            out.push_back(c);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out.push_back('%');
        out.push_back(kDigits[byte >> 4U]);
        out.push_back(kDigits[byte & 15U]);
    }
    return out;
}

Result<Target> parse_target(std::string_view text) {
    const bool printable = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!printable) return bad_target("the request target has a byte that must be percent-encoded");
    // Absolute form, as sent to proxies: the authority says nothing that this server needs.
    for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
        if (!text.starts_with(scheme)) continue;
        const std::size_t slash = text.find('/', scheme.size());
        text = slash == std::string_view::npos ? std::string_view("/") : text.substr(slash);
        break;
    }
    if (!text.starts_with('/')) return bad_target("the request target is not a path");
    text = text.substr(0, text.find('#'));
    const std::size_t question = text.find('?');
    auto path = decode(text.substr(0, question), Part::path);
    if (path.has_error()) return path.error();
    Target target;
    target.path = std::move(*path);
    std::string_view rest =
        question == std::string_view::npos ? std::string_view{} : text.substr(question + 1);
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        auto key = decode(pair.substr(0, equals), Part::query);
        if (key.has_error()) return key.error();
        auto value = decode(
            equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), Part::query
        );
        if (value.has_error()) return value.error();
        target.query.insert_or_assign(std::move(*key), std::move(*value));
    }
    return target;
}

}  // namespace icos::http
