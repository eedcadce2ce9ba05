// SPDX-License-Identifier: Apache-2.0
#include "http/listener.hpp"

#include "http/session.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace icos::http {
namespace asio = boost::asio;
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr mode_t kSocketMode = 0660;
constexpr std::string_view kBusyAnswer =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
    "Content-Type: application/problem+json\r\nContent-Length: 100\r\n\r\n"
    R"({"type":"about:blank","title":"Service Unavailable","status":503,"code":"http.too_many_connections"})";

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;
using GenericEndpoint = asio::generic::stream_protocol::endpoint;

std::string text_of(const GenericEndpoint& endpoint) {
    const int family = endpoint.protocol().family();
    if (family != AF_INET && family != AF_INET6) return "unix";
    asio::ip::tcp::endpoint tcp;
    if (endpoint.size() > tcp.capacity()) return "unknown";
    std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
    tcp.resize(endpoint.size());
    const std::string address = tcp.address().to_string();
    const std::string port = std::to_string(tcp.port());
    return tcp.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

/// Who is at the other end of a Unix socket. Its mode decided who may connect at all.
Caller local_caller(StreamSocket& socket) {
    Caller caller;
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return caller;
    const bool is_admin = credentials.uid == 0 || credentials.uid == ::geteuid();
    caller.subject =
        credentials.uid == 0 ? std::string("local:root") : "local:" + std::to_string(credentials.uid);
    caller.role = is_admin ? Role::admin : Role::reader;
    return caller;
}

class GenericListener final : public Listener, public std::enable_shared_from_this<GenericListener> {
public:
    GenericListener(std::shared_ptr<ServerState> state, const ListenerSpec& spec)
        : state_(std::move(state)),
          spec_(spec),
          executor_(state_->connection_executor()),
          acceptor_(executor_),
          pause_(executor_) {}

    boost::system::error_code bind(const GenericEndpoint& endpoint) {
        boost::system::error_code ec;
        const bool is_unix = spec_.kind == ListenerSpec::Kind::unix_socket;
        acceptor_.open(endpoint.protocol(), ec);
        if (!ec && !is_unix) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
        // Before the file exists, so that at no time more than these may connect.
        if (!ec && is_unix) ::fchmod(acceptor_.native_handle(), kSocketMode);
        if (!ec) acceptor_.bind(endpoint, ec);
        if (!ec && is_unix) ::chmod(spec_.address.c_str(), kSocketMode);
        if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
        if (ec) return ec;
        has_file_ = is_unix;
        endpoint_ = is_unix ? spec_.address : text_of(acceptor_.local_endpoint(ec));
        return ec;
    }

    std::string endpoint() const override { return endpoint_; }

    void start() override {
        const auto self = shared_from_this();
        asio::co_spawn(executor_, accept(self), [self](std::exception_ptr failed) {
            if (failed) Log("http").error("a listener ended", {{"listener", self->endpoint_}});
        });
    }

    void close() override {
        if (std::exchange(has_file_, false)) ::unlink(spec_.address.c_str());
        asio::post(executor_, [self = shared_from_this()] {
            boost::system::error_code ignored;
            self->acceptor_.close(ignored);
            self->pause_.cancel();
        });
    }

private:
    static Task<> accept(std::shared_ptr<GenericListener> self) {
        bool is_in_trouble = false;
        while (self->acceptor_.is_open()) {
            StreamSocket socket(self->state_->connection_executor());
            auto [ec] = co_await self->acceptor_.async_accept(socket, kTuple);
            if (!ec) {
                is_in_trouble = false;
                self->admit(std::move(socket));
                continue;
            }
            if (ec == asio::error::operation_aborted || !self->acceptor_.is_open()) break;
            // Mostly no free file descriptor: the pause lets others end; the backlog keeps who waits.
            if (!std::exchange(is_in_trouble, true)) {
                Log("http").error(
                    "cannot accept connections", {{"listener", self->endpoint_}, {"error", ec.message()}}
                );
            }
            self->pause_.expires_after(std::chrono::milliseconds(100));
            co_await self->pause_.async_wait(kTuple);
        }
    }

    void admit(StreamSocket socket) {
        ServerState& state = *state_;
        state.counters.accepted.fetch_add(1, std::memory_order_relaxed);
        boost::system::error_code ec;
        const bool is_unix = spec_.kind == ListenerSpec::Kind::unix_socket;
        if (!is_unix) socket.set_option(asio::ip::tcp::no_delay(true), ec);
        socket.non_blocking(true, ec);
        if (state.session_count() >= state.limits.connections) {
            state.counters.refused.fetch_add(1, std::memory_order_relaxed);
            if (spec_.kind != ListenerSpec::Kind::tls) {
                // Fits the empty send buffer of a new connection; whoever cannot take it is closed just the
                // same.
                socket.write_some(asio::buffer(kBusyAnswer), ec);
                socket.shutdown(asio::socket_base::shutdown_send, ec);
            }
            return;
        }
        Origin origin;
        const GenericEndpoint peer = is_unix ? GenericEndpoint() : socket.remote_endpoint(ec);
        if (ec) return;
        origin.remote = is_unix ? std::string("unix") : text_of(peer);
        if (is_unix) origin.caller = local_caller(socket);
        const asio::any_io_executor executor = socket.get_executor();
        std::unique_ptr<Transport> transport;
        if (spec_.kind == ListenerSpec::Kind::tls) {
            origin.tls = state.tls();
            if (!origin.tls) return;
            transport = make_tls_transport(std::move(socket), origin.tls->front());
        } else {
            transport = make_plain_transport(std::move(socket));
        }
        serve_connection(state_, std::move(transport), std::move(origin));
    }

    std::shared_ptr<ServerState> state_;
    ListenerSpec spec_;
    asio::any_io_executor executor_;
    Acceptor acceptor_;
    asio::steady_timer pause_;
    std::string endpoint_;
    bool has_file_ = false;
};

/// Removes the file of a socket that nobody listens on any more, as a crash leaves it.
void remove_stale_socket(const asio::any_io_executor& executor, const std::string& path) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
    asio::local::stream_protocol::socket probe(executor);
    boost::system::error_code ec;
    probe.connect(asio::local::stream_protocol::endpoint(path), ec);
    if (ec == asio::error::connection_refused) ::unlink(path.c_str());
}

/// By pointer, because a generic endpoint claims to be constructible from anything, an Error too.
Result<std::unique_ptr<GenericEndpoint>> endpoint_of(const ListenerSpec& spec) {
    if (spec.kind == ListenerSpec::Kind::unix_socket) {
        if (spec.address.empty() || spec.address.size() >= sizeof(sockaddr_un::sun_path)) {
            return Error{
                icos::errc::invalid,
                "'" + spec.address + "' is no path for a Unix socket",
                "it has 1 to " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " characters"
            };
        }
        return std::make_unique<GenericEndpoint>(asio::local::stream_protocol::endpoint(spec.address));
    }
    boost::system::error_code ec;
    const asio::ip::address address = asio::ip::make_address(spec.address, ec);
    if (ec) {
        return Error{
            icos::errc::invalid,
            "'" + spec.address + "' is no address to listen on",
            "give an IP address of this machine, 127.0.0.1 or 0.0.0.0"
        };
    }
    return std::make_unique<GenericEndpoint>(asio::ip::tcp::endpoint(address, spec.port));
}

}  // namespace

void serve_connection(
    std::shared_ptr<ServerState> state, std::unique_ptr<Transport> transport, Origin origin
) {
    const asio::any_io_executor executor = transport->get_executor();
    const auto session = std::make_shared<Session>(state, std::move(transport), std::move(origin));
    state->add(session);
    // A stop that began since the connection was accepted has not seen this session.
    if (state->is_stopping) session->begin_stop();
    asio::co_spawn(executor, session->run(), [state, session](std::exception_ptr failed) {
        if (failed) Log("http").error("a connection's session failed");
        state->remove(session.get());
        asio::post(state->loop, [state] {
            if (state->on_session_end) state->on_session_end();
        });
    });
}

Result<std::shared_ptr<Listener>> make_listener(
    std::shared_ptr<ServerState> state, const ListenerSpec& spec
) {
    const auto endpoint = endpoint_of(spec);
    if (endpoint.has_error()) return endpoint.error();
    const bool is_unix = spec.kind == ListenerSpec::Kind::unix_socket;
    if (is_unix) remove_stale_socket(state->io, spec.address);
    const auto listener = std::make_shared<GenericListener>(state, spec);
    const boost::system::error_code ec = listener->bind(**endpoint);
    if (!ec) return std::shared_ptr<Listener>(listener);
    const std::string where = is_unix ? spec.address : spec.address + ":" + std::to_string(spec.port);
    std::string hint =
        is_unix ? "the directory must exist and be writable" : "choose another address or port";
    if (ec == asio::error::address_in_use)
        hint = "another process listens there: stop it, or configure another address";
    if (ec == asio::error::access_denied) hint = "ports below 1024 need root; choose another";
    return Error{icos::errc::io, "cannot listen on " + where + ": " + ec.message(), std::move(hint)};
}

}  // namespace icos::http
