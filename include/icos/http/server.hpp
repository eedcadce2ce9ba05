// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/http/router.hpp"

#include <functional>
#include <memory>
#include <string>

namespace icos::http {

struct Limits {
    std::size_t header_bytes = 16U << 10U;
    std::size_t connections = 20'000;
    Duration header_time{10'000};  ///< from accept or the previous answer's end to a whole header
    Duration body_time{60'000};
    Duration idle_time{75'000};
    std::size_t gzip_from = 1024;  ///< answers at least this long are compressed when the client accepts gzip
};

/// Certificates of the TLS listener, PEM. The ClientHello's ALPN chooses: `icos-agent/1` gets the agent pair
/// and is asked for a client certificate (any key that proves possession passes; see Caller::peer), anything
/// else gets the operator's pair and is never asked.
struct TlsMaterial {
    std::string operator_certificate;  ///< chain, leaf first; empty: the agent pair serves both
    std::string operator_key;
    std::string agent_certificate;
    std::string agent_key;
    std::string agent_ca;  ///< tells Caller::peer->issued_by_us
};

/// Turns `Authorization: Bearer …` into a caller; auth.bad_token otherwise. Called on the control loop.
using TokenCheck = std::function<Result<Caller>(std::string_view token)>;

/// Told of each request that was refused for who its caller is: auth.forbidden, auth.required,
/// auth.bad_token. Called on the control loop, before the answer.
using RefusalListener = std::function<void(const Request& request, const Error& error)>;

struct ListenerSpec {
    enum class Kind { plain, tls, unix_socket };
    Kind kind = Kind::plain;
    std::string address;     ///< "127.0.0.1", "0.0.0.0", "::1"; path for unix_socket
    std::uint16_t port = 0;  ///< 0 = any free one, see Server::endpoint
};

/// HTTP/1.1 over TCP, TLS and a Unix socket: keep-alive, limits, gzip, chunked streams, WebSocket upgrade,
/// request ids (`X-Request-Id` taken over when it is 1..64 of [A-Za-z0-9._-]). Callers on the Unix socket are
/// identified by peer credentials (root and the controller's own user are admin, others reader when the
/// socket's mode lets them in); on TCP a bearer token is needed for everything but `open` routes. Sockets
/// live on the I/O pool; handlers run on the control loop.
class Server {
public:
    /// `router` must outlive the server, and so must what `check` refers to. Sockets are served on `io` (any
    /// number of threads); without one on the runtime's loop.
    Server(
        Runtime& runtime,
        Router& router,
        TokenCheck check,
        Limits limits,
        boost::asio::any_io_executor io = {}
    );
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Before listening.
    void on_refused(RefusalListener listener);
    /// Also while listening: new connections use it. core.invalid, and nothing changed, if it cannot be used.
    Result<void> use_tls(TlsMaterial material);
    Result<void> listen(const ListenerSpec& spec);     ///< an address in use is core.io with what to change
    std::string endpoint(std::size_t listener) const;  ///< "127.0.0.1:7480" as bound
    /// Prometheus text of the server's own counters (connections, requests by status class, bytes, duration).
    std::string metrics() const;
    /// Closes listeners, ends streams and WebSockets, lets running requests end until `deadline`, then
    /// cancels them and closes their connections. Await it before the server is destroyed.
    Task<> stop(Duration deadline);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace icos::http
