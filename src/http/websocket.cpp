// SPDX-License-Identifier: Apache-2.0
#include "http/websocket.hpp"

#include "http/hop.hpp"
#include "http/session_parser.hpp"
#include "icos/http/router.hpp"
#include "icos/link/session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <algorithm>
#include <cstring>

namespace icos::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kFlatten = 16U << 10U;
constexpr Duration kAcceptTime{10'000};

/// A Transport as the AsyncStream that Beast's WebSocket runs over: one instantiation for every kind of
/// transport.
class ErasedStream {
public:
    using executor_type = asio::any_io_executor;

    ErasedStream(std::unique_ptr<Transport> transport, std::string unread)
        : transport_(std::move(transport)), unread_(std::move(unread)) {}

    executor_type get_executor() const noexcept { return transport_->get_executor(); }
    Transport& transport() { return *transport_; }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        asio::mutable_buffer into;
        for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers); ++it) {
            into = asio::mutable_buffer(*it);
            if (into.size() > 0) break;
        }
        return asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
            [this, into](auto handler) { start_read(into, IoHandler(std::move(handler))); }, token
        );
    }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
            [this, from = flatten(buffers)](auto handler) {
                transport_->start_write(from, IoHandler(std::move(handler)));
            },
            token
        );
    }

private:
    /// A frame's header and its payload leave in one piece: one TLS record, one segment.
    template <class Buffers>
    asio::const_buffer flatten(const Buffers& buffers) {
        const auto end = asio::buffer_sequence_end(buffers);
        auto it = asio::buffer_sequence_begin(buffers);
        while (it != end && asio::const_buffer(*it).size() == 0) ++it;
        if (it == end) return {};
        const asio::const_buffer first(*it);
        if (first.size() >= kFlatten || std::next(it) == end) return first;
        scratch_.clear();
        for (; it != end && scratch_.size() < kFlatten; ++it) {
            const asio::const_buffer part(*it);
            const std::size_t take = std::min(part.size(), kFlatten - scratch_.size());
            scratch_.append(static_cast<const char*>(part.data()), take);
        }
        return asio::buffer(scratch_);
    }

    void start_read(asio::mutable_buffer into, IoHandler handler) {
        if (unread_.empty()) {
            transport_->start_read(into, std::move(handler));
            return;
        }
        const std::size_t take = std::min(into.size(), unread_.size());
        std::memcpy(into.data(), unread_.data(), take);
        unread_.erase(0, take);
        asio::post(get_executor(), [take, held = std::move(handler)]() mutable { held({}, take); });
    }

    std::unique_ptr<Transport> transport_;
    std::string unread_;
    std::string scratch_;
};

// Found by Beast through the stream's type: how it ends a connection.
template <class Handler>
void async_teardown(beast::role_type, ErasedStream& stream, Handler&& handler) {
    stream.transport().close();
    asio::post(stream.get_executor(), [held = std::forward<Handler>(handler)]() mutable {
        held(beast::error_code{});
    });
}
void beast_close_socket(ErasedStream& stream) {
    stream.transport().close();
}

using Socket = beast::websocket::stream<ErasedStream, false>;

class BeastWebSocket final : public WebSocketCore, public std::enable_shared_from_this<BeastWebSocket> {
public:
    BeastWebSocket(
        std::unique_ptr<Transport> transport,
        std::string unread,
        std::string remote,
        beast::role_type role,
        Duration handshake_time
    )
        : socket_(std::move(transport), std::move(unread)),
          farewell_(socket_.get_executor()),
          remote_(std::move(remote)) {
        auto timeouts = beast::websocket::stream_base::timeout::suggested(role);
        timeouts.handshake_timeout = handshake_time;
        timeouts.idle_timeout = std::chrono::seconds(30);
        timeouts.keep_alive_pings = true;
        socket_.set_option(timeouts);
        socket_.read_message_max(kMaxSocketMessage);
        socket_.auto_fragment(false);
        socket_.binary(true);
    }

    asio::any_io_executor get_executor() override { return socket_.get_executor(); }
    const std::string& remote() const override { return remote_; }
    Socket& socket() { return socket_; }

    Task<Result<std::string>> read() override {
        const auto self = shared_from_this();
        auto [ec, bytes] = co_await socket_.async_read(incoming_, kTuple);
        if (ec) {
            closed_ = closed_ || ec != asio::error::operation_aborted;
            if (ec == asio::error::operation_aborted) close();
            co_return failure(ec);
        }
        std::string message(static_cast<const char*>(incoming_.data().data()), bytes);
        incoming_.consume(bytes);
        // Big messages are rare: what they needed is given back.
        if (incoming_.capacity() > (64U << 10U)) incoming_ = beast::flat_buffer();
        co_return message;
    }

    Task<Result<void>> write(std::string frame) override {
        const auto self = shared_from_this();
        if (closing_) co_return failure(beast::websocket::error::closed);
        auto [ec, bytes] = co_await socket_.async_write(asio::buffer(frame), kTuple);
        if (!ec) co_return Result<void>();
        if (ec == asio::error::operation_aborted) close();
        co_return failure(ec);
    }

    void close() override {
        if (closing_) return;
        closing_ = true;
        const auto self = shared_from_this();
        if (closed_) {
            socket_.next_layer().transport().close();
            return;
        }
        farewell_.expires_after(std::chrono::seconds(1));
        farewell_.async_wait([self](boost::system::error_code ec) {
            if (!ec) self->socket_.next_layer().transport().close();
        });
        socket_.async_close(beast::websocket::close_code::normal, [self](boost::system::error_code) {
            self->socket_.next_layer().transport().close();
            self->farewell_.cancel();
        });
    }

private:
    Error failure(const boost::system::error_code& ec) const {
        if (ec == beast::websocket::error::message_too_big) {
            return Error{
                link::errc::too_large,
                "a message from " + remote_ + " has more than " + std::to_string(kMaxSocketMessage) + " bytes"
            };
        }
        if (closing_ || ec == beast::websocket::error::closed) {
            return Error{link::errc::closed, "the connection with " + remote_ + " was closed"};
        }
        return Error{link::errc::closed, "the connection with " + remote_ + " broke: " + ec.message()};
    }

    Socket socket_;
    asio::steady_timer farewell_;
    beast::flat_buffer incoming_;
    std::string remote_;
    bool closing_ = false;
    bool closed_ = false;
};

class LoopFrames final : public FrameStream {
public:
    LoopFrames(std::shared_ptr<WebSocketCore> core, asio::any_io_executor loop)
        : core_(std::move(core)), hops_(core_->get_executor() != loop) {}
    LoopFrames(const LoopFrames&) = delete;
    LoopFrames& operator=(const LoopFrames&) = delete;
    ~LoopFrames() override { close(); }

    Task<Result<std::string>> read() override {
        const std::shared_ptr<WebSocketCore> core = core_;
        if (closed_) co_return ended();
        if (!hops_) co_return co_await core->read();
        auto outcome = co_await hop(std::make_shared<HopControl>(core->get_executor()), read_on(core));
        if (outcome.failure) std::rethrow_exception(outcome.failure);
        co_return std::move(*outcome.value);
    }

    Task<Result<void>> write(std::string frame) override {
        const std::shared_ptr<WebSocketCore> core = core_;
        if (closed_) co_return ended();
        if (!hops_) co_return co_await core->write(std::move(frame));
        auto outcome = co_await hop(
            std::make_shared<HopControl>(core->get_executor()), write_on(core, std::move(frame))
        );
        if (outcome.failure) std::rethrow_exception(outcome.failure);
        co_return std::move(*outcome.value);
    }

    void close() override {
        if (closed_) return;
        closed_ = true;
        asio::post(core_->get_executor(), [core = core_] { core->close(); });
    }

    std::string remote() const override { return core_->remote(); }

private:
    Error ended() const {
        return Error{link::errc::closed, "the connection with " + core_->remote() + " was closed"};
    }

    // A hop wants results that can be made from nothing.
    static Task<std::optional<Result<std::string>>> read_on(std::shared_ptr<WebSocketCore> core) {
        auto message = co_await core->read();
        co_return std::optional<Result<std::string>>(std::move(message));
    }
    static Task<std::optional<Result<void>>> write_on(
        std::shared_ptr<WebSocketCore> core, std::string frame
    ) {
        auto written = co_await core->write(std::move(frame));
        co_return std::optional<Result<void>>(std::move(written));
    }

    std::shared_ptr<WebSocketCore> core_;
    bool hops_;
    bool closed_ = false;
};

Error refusal(const bhttp::response<bhttp::string_body>& answer) {
    ClientResponse response;
    response.status = answer.result_int();
    response.body = answer.body();
    for (const auto& field : answer) {
        response.headers.insert_or_assign(
            std::string(field.name_string().data(), field.name_string().size()),
            std::string(field.value().data(), field.value().size())
        );
    }
    return error_from(response);
}

}  // namespace

Task<Result<std::shared_ptr<WebSocketCore>>> accept_websocket(
    std::unique_ptr<Transport> transport, RequestHead head, std::string unread, std::string remote
) {
    auto core = std::make_shared<BeastWebSocket>(
        std::move(transport), std::move(unread), std::move(remote), beast::role_type::server, kAcceptTime
    );
    bhttp::request<bhttp::empty_body> request(bhttp::verb::get, head.target, 11);
    for (const auto& [name, value] : head.request.headers) request.set(name, value);
    const std::string request_id = head.request.request_id;
    core->socket().set_option(
        beast::websocket::stream_base::decorator([request_id](beast::websocket::response_type& answer) {
            answer.set(bhttp::field::server, "icos");
            answer.set("X-Request-Id", request_id);
        })
    );
    auto [ec] = co_await core->socket().async_accept(request, kTuple);
    if (ec) co_return Error{errc::bad_request, "the WebSocket handshake failed: " + ec.message()};
    co_return std::shared_ptr<WebSocketCore>(core);
}

Task<Result<std::shared_ptr<WebSocketCore>>> dial_websocket(
    std::unique_ptr<Transport> transport,
    std::string host,
    std::string target,
    Headers headers,
    std::string remote,
    Duration limit
) {
    auto core = std::make_shared<BeastWebSocket>(
        std::move(transport), std::string(), remote, beast::role_type::client, limit
    );
    core->socket().set_option(
        beast::websocket::stream_base::decorator([headers](beast::websocket::request_type& request) {
            for (const auto& [name, value] : headers) request.set(name, value);
        })
    );
    bhttp::response<bhttp::string_body> answer;
    auto [ec] = co_await core->socket().async_handshake(answer, host, target, kTuple);
    if (!ec) co_return std::shared_ptr<WebSocketCore>(core);
    if (ec == beast::websocket::error::upgrade_declined) co_return refusal(answer);
    if (ec == beast::error::timeout) {
        co_return Error{icos::errc::timed_out, remote + " did not answer within " + format_duration(limit)};
    }
    co_return Error{errc::closed, "the WebSocket handshake with " + remote + " failed: " + ec.message()};
}

std::unique_ptr<FrameStream> open_frames(std::shared_ptr<WebSocketCore> core, asio::any_io_executor loop) {
    return std::make_unique<LoopFrames>(std::move(core), std::move(loop));
}

}  // namespace icos::http
