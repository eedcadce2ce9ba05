// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "http/transport.hpp"
#include "icos/http/client.hpp"
#include "icos/http/message.hpp"

#include <memory>
#include <string>

namespace icos::http {
struct RequestHead;

/// Largest message a WebSocket takes. Frames of the agent link are far smaller.
inline constexpr std::size_t kMaxSocketMessage = 1U << 20U;

/// One WebSocket. All members run on the transport's executor; `open_frames` makes the loop's view of it.
class WebSocketCore {
public:
    virtual ~WebSocketCore() = default;
    virtual boost::asio::any_io_executor get_executor() = 0;
    virtual const std::string& remote() const = 0;
    virtual Task<Result<std::string>> read() = 0;
    virtual Task<Result<void>> write(std::string frame) = 0;
    /// Says goodbye for at most a second, then closes the connection. Idempotent, does not wait.
    virtual void close() = 0;
};

/// Answers an upgrade request whose head was parsed already; `unread` is what came in behind it. Waits until
/// the 101 is sent.
Task<Result<std::shared_ptr<WebSocketCore>>> accept_websocket(
    std::unique_ptr<Transport> transport, RequestHead head, std::string unread, std::string remote
);
/// Asks for an upgrade. A refusal comes back as the server's error; core.timed_out after `limit`.
Task<Result<std::shared_ptr<WebSocketCore>>> dial_websocket(
    std::unique_ptr<Transport> transport,
    std::string host,
    std::string target,
    Headers headers,
    std::string remote,
    Duration limit
);
/// A FrameStream for the loop. Reads and writes hop to the core's executor when that is another than `loop`.
/// A cancelled read or write ends the connection.
std::unique_ptr<FrameStream> open_frames(
    std::shared_ptr<WebSocketCore> core, boost::asio::any_io_executor loop
);

}  // namespace icos::http
