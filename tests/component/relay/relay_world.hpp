// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/relay.hpp"
#include "icos/async/production_runtime.hpp"
#include "icos/async/task_group.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace icos::agent::test {

using Tcp = boost::asio::ip::tcp;

/// A relay on a loop of its own, and the coroutine of the test on that loop.
class RelayWorld {
public:
    explicit RelayWorld(RelaySettings settings = {});
    ~RelayWorld();
    RelayWorld(const RelayWorld&) = delete;
    RelayWorld& operator=(const RelayWorld&) = delete;

    /// Runs `task` on the loop to its end and rethrows what it throws. Fails after 60 s.
    void run(Task<> task);
    /// Listens for `service` on a free port of 127.0.0.1.
    std::uint16_t listen(const std::string& service = "web");
    void set_targets(const std::vector<RelayTarget>& targets, const std::string& service = "web");

    ProductionRuntime runtime;
    std::unique_ptr<Relay> relay;
    TaskGroup tasks;  ///< of the providers
};

RelayKey key(const std::string& service = "web");

/// Turns the loop until `condition` holds.
Task<> eventually(ProductionRuntime* runtime, std::function<bool()> condition);

/// One end of a TCP connection.
class Peer {
public:
    explicit Peer(ProductionRuntime& runtime) : socket(runtime.loop()) {}
    Peer(ProductionRuntime& runtime, std::uint16_t port);  ///< connected to 127.0.0.1
    Task<> send(std::string text);
    /// The next line without its end; "<end>" at the end of the stream, "<reset>" when it was cut.
    Task<std::string> line();
    /// All that comes; throws when it was cut.
    Task<std::string> read_all();
    void end();    ///< sends no more
    void close();  ///< orderly
    void reset();

    Tcp::socket socket;

private:
    std::string buffer_;
};

/// A server on loopback that has a name, so that a client can tell whom it reached.
class Provider {
public:
    enum class Manner {
        answer,    ///< every line X gets "NAME:X", the end of the stream "NAME:end"
        farewell,  ///< says "NAME:bye" and ends, then reads until the client ends; see `heard`
        silent,    ///< reads nothing until `let_read`, then counts what comes
    };
    explicit Provider(
        RelayWorld& world, std::string name, Manner manner = Manner::answer, RelayTarget at = {"127.0.0.1", 0}
    );
    ~Provider();
    Provider(const Provider&) = delete;
    Provider& operator=(const Provider&) = delete;

    RelayTarget target() const { return target_; }
    std::size_t connections() const;  ///< open now
    std::size_t accepted() const;
    void let_read();
    const std::string& heard() const;
    /// Takes no more connections, and ends those it has if `and_connections`.
    void stop_listening();
    void reset_connections();

private:
    struct State;
    static Task<> accept(std::shared_ptr<State> state);
    static Task<> serve(std::shared_ptr<State> state, std::shared_ptr<Peer> peer);
    std::shared_ptr<State> state_;
    RelayTarget target_;
};

/// A loopback port that nobody listens on.
RelayTarget dead_target();
/// One request on a connection of its own: "NAME:TEXT", or how it ended.
Task<std::string> ask(ProductionRuntime* runtime, std::uint16_t port, std::string text);
std::size_t open_descriptors();

}  // namespace icos::agent::test
