// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"
#include "icos/core/error.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace icos::http {

enum class Method { get, post, put, patch, del };
std::string_view to_string(Method method) noexcept;

/// Who may call a route. `open`: anybody; `read`/`write`: a known caller with that role; `agent`: only on a
/// connection of the agent protocol (ALPN `icos-agent/1`); `admin`.
enum class Access { open, read, write, admin, agent };
std::string_view to_string(Access access) noexcept;

enum class Role { none, reader, writer, admin, agent };

/// What an agent's TLS client certificate proves: possession of the key. Whether it is known is fleet's
/// business.
struct PeerKey {
    std::string key_id;       ///< SHA-256 of the public key's SubjectPublicKeyInfo, lower-case hex
    std::string common_name;  ///< node id for certificates of our CA, free text otherwise
    std::string spki_der;     ///< the public key itself (SubjectPublicKeyInfo, DER)
    std::int64_t not_after_ms = 0;
    bool issued_by_us = false;
};

/// The caller as the access hook established it.
struct Caller {
    std::string subject = "anonymous";  ///< "local:root", "token:admin", "agent:<key id>"
    Role role = Role::none;
    std::optional<PeerKey> peer;  ///< set on connections of the agent protocol
};

struct CaseInsensitiveLess {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const noexcept;
};
using Headers = std::map<std::string, std::string, CaseInsensitiveLess>;

struct Request {
    Method method = Method::get;
    std::string path;  ///< decoded, without the query
    std::map<std::string, std::string, std::less<>>
        params;  ///< `{name}` parts of the route's pattern, decoded
    std::map<std::string, std::string, std::less<>> query;  ///< decoded; the last value of a repeated key
    Headers headers;
    std::string body;
    Caller caller;
    std::string request_id;
    std::string remote;  ///< "127.0.0.1:4711" or "unix"

    std::string_view param(std::string_view name) const;
    /// Value of a query key, or `fallback`.
    std::string_view query_or(std::string_view key, std::string_view fallback) const;
    bool query_flag(std::string_view key) const;  ///< present and neither "false" nor "0"
};

/// A body that is produced while it is sent (server-sent events, logs). Called on the control loop.
class BodyStream {
public:
    virtual ~BodyStream() = default;
    /// The next piece; nullopt ends the body. Cancelled (operation_aborted) when the client went away.
    virtual Task<std::optional<std::string>> next() = 0;
};

struct Response {
    unsigned status = 200;
    Headers headers;
    std::string content_type = "application/json";
    std::string body;
    std::shared_ptr<BodyStream> stream;  ///< if set, sent chunked instead of `body`

    static Response json(std::string text, unsigned status = 200);
    static Response no_content();
};

/// A message-preserving bidirectional connection: a WebSocket in production, a simulated wire in simulation.
/// Used from the control loop; one read and one write at a time. A cancelled read or write may end the
/// connection.
class FrameStream {
public:
    virtual ~FrameStream() = default;
    /// The next whole message. link.closed when the other side or `close()` ended the connection.
    virtual Task<Result<std::string>> read() = 0;
    virtual Task<Result<void>> write(std::string frame) = 0;
    /// Ends the connection; pending and later reads and writes fail. Idempotent, does not wait.
    virtual void close() = 0;
    virtual std::string remote() const = 0;
};

using Handler = std::function<Task<Result<Response>>(Request)>;
/// Runs for the life of an upgraded connection.
using SocketHandler = std::function<Task<>(Request, std::unique_ptr<FrameStream>)>;
/// Decides before the upgrade: an error refuses it with a problem document.
using SocketCheck = std::function<Task<Result<void>>(const Request&)>;

/// A route as modules declare it. `pattern` has `{name}` for one path segment. `summary` is one line for
/// OpenAPI.
struct Route {
    Method method = Method::get;
    std::string pattern;
    Access access = Access::admin;
    std::string summary;
    Handler handler;
    std::size_t body_limit = 2U << 20U;  ///< bytes; beyond it 413 http.body_too_large
};
struct SocketRoute {
    std::string pattern;
    Access access = Access::admin;
    std::string summary;
    SocketCheck check;  ///< may be empty
    SocketHandler handler;
};

}  // namespace icos::http
