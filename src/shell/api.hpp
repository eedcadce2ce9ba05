// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/client.hpp"

#include <boost/json/value.hpp>

#include <memory>
#include <optional>
#include <string>

namespace icos::shell {

/// One server-sent event.
struct ServerEvent {
    std::string name;
    std::string id;
    std::string data;
};

/// Reads server-sent events (WHATWG HTML, "Server-sent events") from a response body.
class EventReader {
public:
    explicit EventReader(std::unique_ptr<http::ClientStream> stream) : stream_(std::move(stream)) {}
    /// The next event; nullopt when the server ended the stream.
    Task<Result<std::optional<ServerEvent>>> next();

private:
    std::unique_ptr<http::ClientStream> stream_;
    std::string buffer_;
};

/// The native API of one controller. Errors are the server's problem documents, or core.unavailable when it
/// cannot be reached.
class Api {
public:
    Api(Runtime& runtime, http::Endpoint endpoint, std::string token);

    Task<Result<boost::json::value>> get(std::string target);
    Task<Result<boost::json::value>> send(
        http::Method method, std::string target, std::string body, std::string content_type
    );
    Task<Result<std::string>> get_text(std::string target);
    Task<Result<EventReader>> events(std::string target);
    Task<Result<std::unique_ptr<http::ClientStream>>> stream(std::string target);
    Task<Result<std::unique_ptr<http::FrameStream>>> websocket(std::string target);
    std::string where() const;  ///< the address, for messages

private:
    http::Headers headers() const;
    Task<Result<http::ClientResponse>> exchange(http::ClientRequest request);
    Task<Result<std::unique_ptr<http::ClientStream>>> open(std::string target, std::string accept);
    Error unreachable(const Error& cause) const;

    http::Client client_;
    std::string token_;
};

}  // namespace icos::shell
