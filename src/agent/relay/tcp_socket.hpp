// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

namespace icos::agent {

using Socket = boost::asio::ip::tcp::socket;
using Acceptor = boost::asio::ip::tcp::acceptor;

/// Listens there. Sockets it accepts have the options of `open_socket`, but for non-blocking mode.
/// relay.port_taken, relay.no_address, relay.failed.
Result<std::shared_ptr<Acceptor>> open_acceptor(
    const boost::asio::any_io_executor& executor, const std::string& address, std::uint16_t port
);

/// Opens a non-blocking socket that sends at once (no Nagle), is not inherited by child processes, and asks a
/// silent peer whether it is still there: after 30 s, then every 10 s, at most 3 times.
boost::system::error_code open_socket(Socket& socket, const boost::asio::ip::tcp& protocol);

/// Closes it with a reset: the peer learns that the conversation was cut, not that it is complete.
void reset_socket(Socket& socket);

/// Connecting to a port of this machine that nobody listens on may, by chance, get that port as its own: TCP
/// then connects the socket with itself.
bool is_connected_to_itself(const Socket& socket);

}  // namespace icos::agent
