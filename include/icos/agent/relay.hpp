// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"
#include "icos/core/error.hpp"
#include "icos/core/ids.hpp"
#include "icos/core/time.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace icos {
class ProductionRuntime;
}

/// What lets a component reach another one at an address that never changes: the agent listens on the gateway
/// of the application's network and passes TCP connections on to wherever the provider is now.
namespace icos::agent {

/// relay.port_taken (something else on the node listens there), relay.no_address (the address is not one of
/// this node's), relay.limit (too many listeners), relay.failed (the system's words).
enum class relay_errc { port_taken = 1, no_address, limit, failed };
const ErrorDomain& relay_domain() noexcept;
inline boost::system::error_code make_error_code(relay_errc e) noexcept {
    return {static_cast<int>(e), relay_domain()};
}

/// One listener: the port `port` of service `service` of an application.
struct RelayKey {
    AppId app;
    std::string component;   ///< the provider
    std::string service;     ///< of the provider
    std::uint16_t port = 0;  ///< as the provider's container listens on it
    auto operator<=>(const RelayKey&) const = default;
};

/// Where a copy of the provider takes connections now: "10.0.0.7", 32768.
struct RelayTarget {
    std::string address;  ///< IPv4 or IPv6, or a name to be resolved
    std::uint16_t port = 0;
    auto operator<=>(const RelayTarget&) const = default;
};

struct RelayCounters {
    std::uint64_t listeners = 0;         ///< now
    std::uint64_t connections = 0;       ///< open now
    std::uint64_t accepted = 0;          ///< ever
    std::uint64_t refused_at_limit = 0;  ///< closed at once: too many connections of one listener or in all
    std::uint64_t connect_failures = 0;  ///< attempts on a target that failed
    std::uint64_t unserved = 0;          ///< clients given up on: no target answered in time
    std::uint64_t cut = 0;               ///< connections to a former target, closed when its time was up
    std::uint64_t accept_failures = 0;   ///< the system gave no connection, mostly for want of descriptors
    std::uint64_t bytes_in = 0;          ///< from clients
    std::uint64_t bytes_out = 0;         ///< to clients
};

/// Members on the control loop.
class Relay {
public:
    virtual ~Relay() = default;

    /// Listens on address:port (port 0: the system chooses) and returns the port. With `key` known at the
    /// same address and port, or port 0, nothing changes; elsewhere it listens there instead.
    virtual Task<Result<std::uint16_t>> listen(RelayKey key, std::string address, std::uint16_t port) = 0;
    /// Where connections of `key` go from now on, taken in turn; a target that does not take a connection is
    /// passed over for a while. Connections to targets that are no longer named stay until either side ends
    /// them, at most `RelaySettings::drain`. Without targets (or while none answers) a new connection is held
    /// for `RelaySettings::patience`, and served as soon as there is one. To name a target again says that it
    /// takes connections: it is tried at once. A key nobody listens for is ignored: listen first.
    virtual void set_targets(const RelayKey& key, std::vector<RelayTarget> targets) = 0;
    /// Stops listening and ends the connections. Unknown is fine.
    virtual void close(const RelayKey& key) = 0;
    virtual RelayCounters counters() const = 0;
};

struct RelaySettings {
    std::size_t max_listeners = 1'024;
    std::size_t max_connections = 4'096;  ///< in all; two descriptors each
    std::size_t max_connections_of_a_listener = 1'024;
    std::size_t buffer = 16U << 10U;  ///< bytes per direction of a connection
    Duration connect{2'000};          ///< one attempt
    Duration patience{15'000};        ///< a client waits this long for a target
    Duration drain{60'000};
    /// Between attempts where no target answers; doubles up to five times this, plus as much jitter.
    Duration retry_pause{100};
    /// A peer that acknowledges nothing of what it was sent, or of keepalive questions, is lost.
    Duration unanswered{60'000};
    Duration pass_over{10'000};  ///< a target that failed, while others answer
};
/// On the system's sockets, on the runtime's loop.
std::unique_ptr<Relay> make_tcp_relay(ProductionRuntime& runtime, RelaySettings settings);

}  // namespace icos::agent

template <>
struct boost::system::is_error_code_enum<icos::agent::relay_errc> : std::true_type {};
