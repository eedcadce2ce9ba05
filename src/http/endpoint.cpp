// SPDX-License-Identifier: Apache-2.0
#include "icos/http/client.hpp"

#include <algorithm>
#include <charconv>

namespace icos::http {
namespace {

constexpr std::string_view kHint =
    "give https://host:port, http://host:port, host:port or unix:///path/to/controller.sock";

Error invalid(std::string_view text, std::string_view why) {
    return Error{
        icos::errc::invalid,
        "'" + std::string(text) + "' is no address: " + std::string(why),
        std::string(kHint)
    };
}

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == ':' || c == '%';
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
    Endpoint endpoint;
    std::string_view rest = text;
    if (rest.starts_with("unix://")) {
        endpoint.kind = Endpoint::Kind::unix_socket;
        endpoint.host = rest.substr(7);
        if (!endpoint.host.starts_with('/')) return invalid(text, "the socket's path must be absolute");
        return endpoint;
    }
    endpoint.kind = Endpoint::Kind::tls;
    endpoint.port = 7443;
    if (rest.starts_with("https://")) {
        rest.remove_prefix(8);
        endpoint.port = 443;
    } else if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
        endpoint.kind = Endpoint::Kind::plain;
        endpoint.port = 80;
    } else if (rest.find("://") != std::string_view::npos) {
        return invalid(text, "the scheme is unknown");
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.find('/') != std::string_view::npos) return invalid(text, "it has a path");
    std::string_view port;
    bool has_port = false;
    if (rest.starts_with('[')) {
        const std::size_t end = rest.find(']');
        if (end == std::string_view::npos) return invalid(text, "the bracket is not closed");
        endpoint.host = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
        has_port = rest.starts_with(':');
        if (!rest.empty() && !has_port) return invalid(text, "something follows the bracket");
        port = rest.substr(has_port ? 1 : 0);
    } else {
        const std::size_t colon = rest.find(':');
        has_port = colon != std::string_view::npos;
        endpoint.host = rest.substr(0, colon);
        if (has_port) port = rest.substr(colon + 1);
        if (port.find(':') != std::string_view::npos) return invalid(text, "an IPv6 address needs brackets");
    }
    if (endpoint.host.empty()) return invalid(text, "it has no host");
    if (!std::ranges::all_of(endpoint.host, is_host_character))
        return invalid(text, "the host has a strange character");
    if (!has_port) return endpoint;
    unsigned value = 0;
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (ec != std::errc{} || end != port.data() + port.size() || value == 0 || value > 65535) {
        return invalid(text, "the port is not a number from 1 to 65535");
    }
    endpoint.port = static_cast<std::uint16_t>(value);
    return endpoint;
}

}  // namespace icos::http
