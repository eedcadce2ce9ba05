// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"

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
    const boost::asio::any_io_executor& executor,
    const std::string& address,
    std::uint16_t port,
    Duration unanswered
);

/// Opens a non-blocking socket that sends at once (no Nagle), is not inherited by child processes, asks a
/// silent peer after 30 s and then every 10 s whether it is still there, and takes it for lost when it has
/// acknowledged nothing for `unanswered`.
boost::system::error_code open_socket(
    Socket& socket, const boost::asio::ip::tcp& protocol, Duration unanswered
);

/// Changes how long the peer may acknowledge nothing; 0: as long as the system's retransmissions go on. Linux
/// counts the time in which the peer takes nothing although it answers, so a slow reader is to be spared.
void set_unanswered(Socket& socket, Duration limit);

/// Closes it with a reset: the peer learns that the conversation was cut, not that it is complete.
void reset_socket(Socket& socket);

/// Connecting to a port of this machine that nobody listens on may, by chance, get that port as its own: TCP
/// then connects the socket with itself.
bool is_connected_to_itself(const Socket& socket);

}  // namespace icos::agent
