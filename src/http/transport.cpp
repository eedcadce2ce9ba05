// SPDX-License-Identifier: Apache-2.0
#include "http/transport.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <sys/socket.h>

namespace icos::http {
namespace asio = boost::asio;
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

bool is_quiet_socket(StreamSocket& socket) {
    if (!socket.is_open()) return false;
    char byte = 0;
    const ssize_t got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void close_socket(StreamSocket& socket) {
    boost::system::error_code ignored;
    socket.shutdown(asio::socket_base::shutdown_both, ignored);
    socket.close(ignored);
}

class PlainTransport final : public Transport {
public:
    explicit PlainTransport(StreamSocket socket) : socket_(std::move(socket)) {}
    asio::any_io_executor get_executor() override { return socket_.get_executor(); }
    void start_read(asio::mutable_buffer into, IoHandler handler) override {
        socket_.async_read_some(into, std::move(handler));
    }
    void start_write(asio::const_buffer from, IoHandler handler) override {
        socket_.async_write_some(from, std::move(handler));
    }
    void cancel() override {
        boost::system::error_code ignored;
        socket_.cancel(ignored);
    }
    void close() override { close_socket(socket_); }
    bool shutdown_write() override {
        boost::system::error_code ec;
        socket_.shutdown(asio::socket_base::shutdown_send, ec);
        return !ec;
    }
    bool is_quiet() override { return is_quiet_socket(socket_); }
    bool is_tls() const override { return false; }

private:
    StreamSocket socket_;
};

class SslTransport final : public TlsTransport {
public:
    SslTransport(StreamSocket socket, std::shared_ptr<asio::ssl::context> context)
        : context_(std::move(context)), stream_(std::move(socket), *context_) {}
    asio::any_io_executor get_executor() override { return stream_.get_executor(); }
    void start_read(asio::mutable_buffer into, IoHandler handler) override {
        stream_.async_read_some(into, std::move(handler));
    }
    void start_write(asio::const_buffer from, IoHandler handler) override {
        stream_.async_write_some(from, std::move(handler));
    }
    void cancel() override {
        boost::system::error_code ignored;
        stream_.next_layer().cancel(ignored);
    }
    void close() override { close_socket(stream_.next_layer()); }
    bool shutdown_write() override { return false; }
    bool is_quiet() override { return is_quiet_socket(stream_.next_layer()); }
    bool is_tls() const override { return true; }
    Task<boost::system::error_code> handshake_as_server() override {
        auto [ec] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kTuple);
        co_return ec;
    }
    Task<boost::system::error_code> handshake_as_client() override {
        auto [ec] = co_await stream_.async_handshake(asio::ssl::stream_base::client, kTuple);
        co_return ec;
    }
    ssl_st_handle native() override { return stream_.native_handle(); }

private:
    std::shared_ptr<asio::ssl::context> context_;
    asio::ssl::stream<StreamSocket> stream_;
};

}  // namespace

Task<IoOutcome> Transport::read_some(asio::mutable_buffer into) {
    auto [ec, bytes] =
        co_await asio::async_initiate<decltype(kTuple), void(boost::system::error_code, std::size_t)>(
            [this, into](auto handler) { start_read(into, IoHandler(std::move(handler))); }, kTuple
        );
    co_return IoOutcome{ec, bytes};
}

Task<IoOutcome> Transport::write_some(asio::const_buffer from) {
    auto [ec, bytes] =
        co_await asio::async_initiate<decltype(kTuple), void(boost::system::error_code, std::size_t)>(
            [this, from](auto handler) { start_write(from, IoHandler(std::move(handler))); }, kTuple
        );
    co_return IoOutcome{ec, bytes};
}

std::unique_ptr<Transport> make_plain_transport(StreamSocket socket) {
    return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<TlsTransport> make_tls_transport(
    StreamSocket socket, std::shared_ptr<asio::ssl::context> context
) {
    return std::make_unique<SslTransport>(std::move(socket), std::move(context));
}

}  // namespace icos::http
