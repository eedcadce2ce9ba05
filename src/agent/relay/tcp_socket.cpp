// SPDX-License-Identifier: Apache-2.0
#include "agent/relay/tcp_socket.hpp"

#include "icos/agent/relay.hpp"

#include <boost/asio/ip/v6_only.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace icos::agent {
namespace asio = boost::asio;
namespace {

constexpr int kKeepIdle = 30;      // seconds of silence before the first question
constexpr int kKeepInterval = 10;  // seconds between questions
constexpr int kKeepCount = 3;      // unanswered ones before the connection ends

/// The calls can only fail where the kernel lacks the option: the connection then works without it.
void set_option(int descriptor, int level, int name, int value) {
    (void)::setsockopt(descriptor, level, name, &value, sizeof(value));
}

void tune(int descriptor, Duration unanswered) {
    const auto set = [descriptor](int level, int name, int value) {
        set_option(descriptor, level, name, value);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdle);
    set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepInterval);
    set(IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(unanswered.count()));
    (void)::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

Error listen_error(const boost::system::error_code& ec, const std::string& address, std::uint16_t port) {
    const bool is_v6 = address.find(':') != std::string::npos;
    const std::string where = (is_v6 ? "[" + address + "]:" : address + ":") + std::to_string(port);
    relay_errc code = relay_errc::failed;
    std::string hint;
    if (ec == asio::error::address_in_use) {
        code = relay_errc::port_taken;
        hint = "stop what listens there, or let the system choose the port";
    } else if (ec == boost::system::errc::address_not_available) {
        code = relay_errc::no_address;
        hint = "is the network whose gateway this is still there?";
    } else if (ec == asio::error::access_denied) {
        hint = "ports below 1024 need root or CAP_NET_BIND_SERVICE";
    } else if (ec == asio::error::no_descriptors) {
        hint = "raise the limit of open files (LimitNOFILE= of the service)";
    }
    return Error{code, "cannot listen on " + where + ": " + ec.message(), std::move(hint)};
}

}  // namespace

Result<std::shared_ptr<Acceptor>> open_acceptor(
    const asio::any_io_executor& executor, const std::string& address, std::uint16_t port, Duration unanswered
) {
    boost::system::error_code ec;
    const asio::ip::address parsed = asio::ip::make_address(address, ec);
    if (ec) {
        return Error{
            relay_errc::no_address,
            "'" + address + "' is no address to listen on",
            "give an IPv4 or IPv6 address of this node"
        };
    }
    const asio::ip::tcp::endpoint endpoint(parsed, port);
    auto acceptor = std::make_shared<Acceptor>(executor);
    acceptor->open(endpoint.protocol(), ec);
    if (!ec) acceptor->set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec && parsed.is_v6()) acceptor->set_option(asio::ip::v6_only(true), ec);
    // What is accepted inherits these.
    if (!ec) tune(acceptor->native_handle(), unanswered);
    if (!ec) acceptor->bind(endpoint, ec);
    if (!ec) acceptor->listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return listen_error(ec, address, port);
    return acceptor;
}

boost::system::error_code open_socket(Socket& socket, const asio::ip::tcp& protocol, Duration unanswered) {
    boost::system::error_code ec;
    socket.open(protocol, ec);
    if (ec) return ec;
    tune(socket.native_handle(), unanswered);
    socket.non_blocking(true, ec);
    return ec;
}

void set_unanswered(Socket& socket, Duration limit) {
    if (!socket.is_open()) return;
    set_option(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(limit.count()));
}

void reset_socket(Socket& socket) {
    boost::system::error_code ignored;
    if (!socket.is_open()) return;
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
}

bool is_connected_to_itself(const Socket& socket) {
    boost::system::error_code ec;
    const asio::ip::tcp::endpoint own = socket.local_endpoint(ec);
    if (ec) return false;
    const asio::ip::tcp::endpoint peer = socket.remote_endpoint(ec);
    return !ec && own == peer;
}

}  // namespace icos::agent
