// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "http/answer.hpp"
#include "http/loop_side.hpp"
#include "http/server_state.hpp"
#include "http/session_parser.hpp"
#include "http/transport.hpp"

#include <boost/asio/steady_timer.hpp>

#include <array>
#include <memory>
#include <string>

namespace icos::http {
class HopControl;

/// Where a connection comes from.
struct Origin {
    std::string remote;
    Caller caller;                         ///< as far as the connection itself tells (peer credentials)
    std::shared_ptr<const ServerTls> tls;  ///< of a TLS connection
};

/// One connection of the server: reads requests, one after the other, hands each to the control loop and
/// writes its answer. Everything runs on the transport's executor, but for `begin_stop` and `abort`, which
/// any thread may call.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session(std::shared_ptr<ServerState> state, std::unique_ptr<Transport> transport, Origin origin);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() = default;

    /// Serves the connection until it ends. Run it once, on the transport's executor; keep a reference
    /// meanwhile.
    Task<> run();
    /// Takes no further request: an idle connection, a stream and a WebSocket end now, a running request
    /// first.
    void begin_stop();
    /// Cancels what runs and closes the connection.
    void abort();

private:
    struct Served {
        RequestHead head;
        AnswerContext context;
        std::string request_id;
        BootTime begun{};
    };

    Task<bool> serve_one(bool is_first);
    Task<bool> read_head(RequestParser* parser, bool is_first);
    Task<bool> read_body(RequestParser* parser, Served* served);
    Task<bool> serve_socket(Served* served);
    Task<bool> send(Response response, Served* served);
    Task<bool> send_stream(Response response, Served* served);
    /// Answers what cannot be served and leaves the connection in no state to go on. Always false.
    Task<bool> refuse(Error error, Served* served);
    Task<bool> refuse_with(Response response, Served* served);
    Task<bool> pump(std::shared_ptr<BodyStream> stream, bool is_chunked);
    Task<boost::system::error_code> fill();
    Task<bool> write_all(std::string bytes);
    Task<> linger();

    void arm(Duration limit);
    void expire();
    void disarm();
    std::shared_ptr<HopControl> start_hop();
    void cancel_hop();
    void watch_for_end();
    void count(const Served& served, unsigned status);

    std::shared_ptr<ServerState> state_;
    std::unique_ptr<Transport> transport_;
    boost::asio::any_io_executor executor_;
    Origin origin_;
    boost::asio::steady_timer timer_;
    std::shared_ptr<HopControl> hop_;  ///< the last hop to the loop
    std::shared_ptr<WebSocketCore> socket_;
    std::string unread_;
    std::array<char, 512> watched_{};
    std::size_t watched_bytes_ = 0;
    std::uint64_t arming_ = 0;
    bool has_timed_out_ = false;
    bool is_idle_ = false;
    bool is_streaming_ = false;
    bool is_gone_ = false;
    bool is_stopping_ = false;
};

/// Starts a session for an accepted connection and keeps it until it ends. On the transport's executor or
/// before anything uses the transport.
void serve_connection(
    std::shared_ptr<ServerState> state, std::unique_ptr<Transport> transport, Origin origin
);

}  // namespace icos::http
