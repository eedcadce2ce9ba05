// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "http/transport.hpp"
#include "icos/http/client.hpp"
#include "icos/http/server.hpp"

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;
struct x509_st;

namespace icos::http {

inline constexpr std::string_view kAgentAlpn = "icos-agent/1";

/// OpenSSL's bytes as text.
inline std::string_view as_text(const unsigned char* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

struct X509Deleter {
    void operator()(x509_st* certificate) const noexcept;
};
using X509Ptr = std::unique_ptr<x509_st, X509Deleter>;

/// Every certificate of a PEM text; empty if there is none.
std::vector<X509Ptr> read_certificates(std::string_view pem);
/// SubjectPublicKeyInfo of a certificate, DER; empty if it has no usable key.
std::string spki_der(const x509_st* certificate);
/// SHA-256 in lower-case hex.
std::string sha256_hex(std::string_view bytes);
/// Text of OpenSSL's last error, and clears its queue.
std::string take_openssl_error();

/// What the TLS listener needs, parsed once per `use_tls`. Immutable and shared by connections of any thread.
class ServerTls {
public:
    /// core.invalid if a certificate or key cannot be read or they do not belong together.
    static Result<std::shared_ptr<const ServerTls>> make(const TlsMaterial& material);

    /// Context of new connections: its ClientHello callback switches to the agent's.
    std::shared_ptr<boost::asio::ssl::context> front() const { return front_; }
    /// The caller behind a finished handshake of the agent protocol; nullopt for any other connection.
    std::optional<Caller> agent_caller(ssl_st_handle ssl) const;

private:
    ServerTls() = default;
    std::shared_ptr<boost::asio::ssl::context> front_;
    std::shared_ptr<boost::asio::ssl::context> agent_;
    std::vector<X509Ptr> agent_ca_;
};

/// How a client of one endpoint trusts its server. Loop-confined.
class ClientTls {
public:
    /// core.invalid if the endpoint's certificates or key cannot be read.
    static Result<std::shared_ptr<ClientTls>> make(const Endpoint& endpoint);
    /// A TLS stream over `socket` with server name, ALPN and verification set up.
    std::unique_ptr<TlsTransport> wrap(StreamSocket socket);
    /// What a failed handshake means: http.pin_mismatch or http.tls_failed.
    Error explain(TlsTransport& transport, const boost::system::error_code& ec) const;
    /// http.tls_failed if the server did not choose the protocol that was asked for.
    Result<void> check_protocol(TlsTransport& transport) const;

private:
    explicit ClientTls(const Endpoint& endpoint);
    Endpoint endpoint_;
    std::shared_ptr<boost::asio::ssl::context> context_;
};

}  // namespace icos::http
