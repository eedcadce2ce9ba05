// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace icos::shell {
namespace {

constexpr const char* kLocalSocket = "/var/lib/icos-controller/controller.sock";

Result<std::string> read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return Error{errc::io, path + ": " + std::strerror(errno)};
    std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    return text;
}

}  // namespace

Result<Connection> resolve_connection(const ConnectionOptions& options) {
    Connection connection;
    const std::string address =
        options.controller.empty() ? std::string("unix://") + kLocalSocket : options.controller;
    Result<http::Endpoint> endpoint = http::parse_endpoint(address);
    if (endpoint.has_error()) return endpoint.error();
    connection.endpoint = std::move(*endpoint);
    connection.endpoint.pin = options.ca_pin;
    if (!options.ca_file.empty()) {
        Result<std::string> ca = read_file(options.ca_file);
        if (ca.has_error()) return ca.error();
        connection.endpoint.ca = std::move(*ca);
    }
    connection.token = options.token;
    if (connection.token.empty() && !options.token_file.empty()) {
        Result<std::string> token = read_file(options.token_file);
        if (token.has_error()) return token.error();
        const std::size_t end = token->find_last_not_of(" \r\n\t");
        connection.token = token->substr(0, end == std::string::npos ? 0 : end + 1);
    }
    return connection;
}

}  // namespace icos::shell
