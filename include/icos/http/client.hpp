// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/http/message.hpp"

#include <memory>
#include <string>

namespace icos::http {

/// Where and how to connect.
struct Endpoint {
    enum class Kind { plain, tls, unix_socket };
    Kind kind = Kind::plain;
    std::string host;  ///< name or address; path for unix_socket
    std::uint16_t port = 0;
    /// TLS: how to trust the server. An empty pin and CA mean the system's CAs and the host name.
    std::string
        pin;  ///< SHA-256 (hex) of the SPKI of a certificate in the presented chain; dates are not checked
    std::string ca;                  ///< PEM
    std::string alpn;                ///< "icos-agent/1" or empty
    std::string client_certificate;  ///< PEM, with client_key
    std::string client_key;
};
/// "unix:///run/x.sock", "http://host:port", "https://host:port", "host:port" (= https). core.invalid
/// otherwise.
Result<Endpoint> parse_endpoint(std::string_view text);

struct ClientRequest {
    Method method = Method::get;
    std::string target;  ///< path and query, encoded
    Headers headers;
    std::string body;
};
struct ClientResponse {
    unsigned status = 0;
    Headers headers;
    std::string body;
};
std::string percent_encode(std::string_view text);  ///< for one path segment or query value

/// A body read piece by piece.
class ClientStream {
public:
    virtual ~ClientStream() = default;
    unsigned status = 0;
    Headers headers;
    /// The next bytes as they arrive; nullopt at the end of the body.
    virtual Task<Result<std::optional<std::string>>> next() = 0;
    /// Takes over the connection after `101 Switching Protocols` (Docker's attach): raw bytes both ways.
    virtual Task<Result<void>> write(std::string bytes) = 0;
    /// Ends the write half of such a connection ("no more input"); reading goes on. core.invalid where the
    /// connection cannot do that (TLS).
    virtual Result<void> shutdown_write() {
        return Error{icos::errc::invalid, "this stream has no write half to end"};
    }
    virtual void close() = 0;
};

/// HTTP/1.1 client of one endpoint; keeps idle connections (at most 8) alive. Every call has a deadline. All
/// on the runtime's loop, no thread of its own; names are resolved on Pool::blocking. Responses over 64 MiB:
/// http.bad_response.
class Client {
public:
    Client(Runtime& runtime, Endpoint endpoint);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    Task<Result<ClientResponse>> send(ClientRequest request, Duration deadline);
    /// The deadline covers the header; after it each `next()` waits until bytes, the end or cancellation.
    Task<Result<std::unique_ptr<ClientStream>>> stream(ClientRequest request, Duration header_deadline);
    /// WebSocket upgrade of `target`; refused upgrades come back as the server's problem (its code and
    /// detail).
    Task<Result<std::unique_ptr<FrameStream>>> websocket(
        std::string target, Headers headers, Duration deadline
    );
    const Endpoint& endpoint() const noexcept;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// The error that a problem document (or any other non-2xx answer) stands for, with the server's own code.
/// Its category is created on demand and never freed (codes are few).
Error error_from(const ClientResponse& response);

}  // namespace icos::http
