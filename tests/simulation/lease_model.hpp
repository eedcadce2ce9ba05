// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sim_network.hpp"
#include "world.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace icos::sim {

/// The leases of nodes as the wire shows them, apart from how agents keep them: 30 s from when the node sent
/// a ping or hello whose answer was delivered to it, held once the controller and the node agree on its set.
class LeaseModel {
public:
    explicit LeaseModel(World& world) : world_(world) {}

    void on_sent(const SimNetwork::SentFrame& frame);
    void on_delivered(const SimNetwork::SentFrame& frame);
    void on_agent_start(const std::string& node);

    /// The agent may start what only one node may run; its engine takes `latency` for it.
    bool may_start(const std::string& node, SimTime latency) const;
    /// The agent may have ended what only one node may run, or have asked its engine to before the lease came
    /// back.
    bool may_end(const std::string& node) const;

private:
    struct Lease {
        SimTime end{};         ///< not later than this
        SimTime sure_end{};    ///< not before this
        bool is_held = false;  ///< agreed on since it last ended
        SimTime ended_at{};    ///< when it was last seen without one
    };
    void answered(const std::string& node, SimTime sent, bool is_first);
    void agreed(const std::string& node);
    void expire(Lease& lease) const;

    World& world_;
    std::map<std::string, Lease> leases_;
    std::map<std::uint64_t, SimTime> hellos_;  ///< by connection
    struct Ping {
        SimTime at{};
        bool is_first = false;  ///< no other was on its way
    };
    std::map<std::pair<std::uint64_t, std::string>, Ping> pings_;  ///< by connection and nonce
};

}  // namespace icos::sim
