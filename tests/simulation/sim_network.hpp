// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/http/message.hpp"
#include "process.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace icos::sim {

/// Connections between simulated processes. Frames of one connection arrive in order, after a seeded while
/// that differs per frame, so that connections overtake each other. A cut route holds what is under way, as a
/// transport that retransmits does, until it heals. A process that is killed resets its connections; a
/// machine that loses power says nothing: the other side finds out by itself, or by a reset once the machine
/// is back.
class SimNetwork {
public:
    explicit SimNetwork(World& world);
    ~SimNetwork();
    SimNetwork(const SimNetwork&) = delete;
    SimNetwork& operator=(const SimNetwork&) = delete;

    using Accept = std::function<void(std::string from_host, std::unique_ptr<http::FrameStream>)>;
    /// Connections to `host` end up at `accept`, called on the process's loop. Ends with the process.
    void listen(const std::string& host, SimProcess& process, Accept accept);
    /// core.unavailable when the host does not answer or refuses.
    Task<Result<std::unique_ptr<http::FrameStream>>> dial(
        SimProcess& process, std::string from_host, std::string host
    );

    /// The process is gone; with `silent` (power loss) nobody is told.
    void process_ended(SimProcess& process, bool silent);
    void set_host_down(const std::string& host, bool down);

    // Faults.
    void cut(const std::string& from_host, const std::string& to_host);
    void heal(const std::string& from_host, const std::string& to_host);
    bool is_cut(const std::string& from_host, const std::string& to_host) const;
    void heal_all();
    /// Factor of every delay on routes from and to `host`.
    void set_slowness(const std::string& host, std::uint64_t factor);
    /// Nothing gets through one connection of `host` for `duration`; then it goes on, or is reset. False if
    /// none is open.
    bool stall(const std::string& host, SimTime duration, bool reset_afterwards);
    /// One end of a connection is reset, the other is not told (a middle box forgot it). False if none is
    /// open.
    bool half_open(const std::string& host);

    /// Sees every frame when it is sent.
    struct SentFrame {
        std::uint64_t connection = 0;
        const std::string& from_host;
        const std::string& to_host;
        std::string_view bytes;
    };
    void observe(std::function<void(const SentFrame&)> observer) { observer_ = std::move(observer); }
    /// Told of frames when their receiver can read them.
    void observe_delivery(std::function<void(const SentFrame&)> observer) {
        delivery_observer_ = std::move(observer);
    }
    std::size_t open_connections(const std::string& host) const;

private:
    struct Connection;
    struct End;
    class Stream;
    struct Listener {
        SimProcess* process = nullptr;
        Accept accept;
    };
    SimTime delay(const std::string& a, const std::string& b);
    void send(const std::shared_ptr<Connection>& connection, std::size_t from, std::string frame);
    void push(const std::shared_ptr<Connection>& connection, std::size_t to, std::string frame);
    void arrive(const std::shared_ptr<Connection>& connection, std::size_t to);
    void close_end(const std::shared_ptr<Connection>& connection, std::size_t end);
    void reset_end(const std::shared_ptr<Connection>& connection, std::size_t end, const std::string& why);
    std::shared_ptr<Connection> pick(const std::string& host);

    World& world_;
    Rng rng_;
    std::uint64_t next_connection_ = 0;
    std::map<std::string, Listener> listeners_;
    std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;
    std::set<std::pair<std::string, std::string>> cut_;
    std::map<std::string, std::uint64_t> slowness_;
    std::set<std::string> down_;
    std::map<std::string, SimTime>
        latest_arrival_;  ///< per host: tells when one connection overtakes another
    std::function<void(const SentFrame&)> observer_;
    std::function<void(const SentFrame&)> delivery_observer_;
};

}  // namespace icos::sim
