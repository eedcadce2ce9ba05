// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "http/server_state.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>

namespace icos::http {

/// One bound address and the loop that accepts on it.
class Listener {
public:
    virtual ~Listener() = default;
    /// As bound: "127.0.0.1:7480", "[::1]:7480" or the socket's path.
    virtual std::string endpoint() const = 0;
    /// Accepts until `close()`.
    virtual void start() = 0;
    /// Accepts no more; removes the file of a Unix socket. Any thread.
    virtual void close() = 0;
};

/// Binds. core.io for an address in use or not allowed, core.invalid for one that cannot be read.
Result<std::shared_ptr<Listener>> make_listener(std::shared_ptr<ServerState> state, const ListenerSpec& spec);

}  // namespace icos::http
