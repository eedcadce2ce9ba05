// SPDX-License-Identifier: Apache-2.0
#include "lease_model.hpp"

#include "icos/agent/protocol.hpp"
#include "sim_controller.hpp"

#include <algorithm>

namespace icos::sim {
namespace {

constexpr SimTime kLease = 30s;
/// Of the lease's pings. The link pings too when it is quiet, which renews no lease and looks the same.
constexpr SimTime kBetweenPings = 5s;
/// A stop that an agent asked for goes on for so long at most: its grace, and the slowest engine.
constexpr SimTime kStop = 15s;
constexpr std::size_t kHeader = 8;
constexpr unsigned kPing = 6;
constexpr unsigned kPong = 7;

unsigned type_of(std::string_view frame) {
    return static_cast<unsigned char>(frame[1]);
}

/// Type of a control message that fits one frame; empty for other frames.
std::string message_of(std::string_view frame) {
    const bool is_control = frame.substr(4, 4) == std::string_view("\0\0\0\0", 4);
    if (type_of(frame) != 2 || !is_control) return {};
    return agent::message_type(frame.substr(kHeader));
}

}  // namespace

void LeaseModel::expire(Lease& lease) const {
    if (lease.is_held && world_.now() >= lease.end) lease.is_held = false;
    if (!lease.is_held) lease.ended_at = world_.now();
}

void LeaseModel::answered(const std::string& node, SimTime sent, bool is_first) {
    Lease& lease = leases_[node];
    expire(lease);
    lease.end = std::max(lease.end, sent + kLease);
    if (is_first) lease.sure_end = std::max(lease.sure_end, sent + kLease - kBetweenPings);
}

void LeaseModel::agreed(const std::string& node) {
    Lease& lease = leases_[node];
    expire(lease);
    if (world_.now() < lease.end) lease.is_held = true;
}

void LeaseModel::on_agent_start(const std::string& node) {
    leases_[node] = Lease{SimTime{}, SimTime{}, false, world_.now()};
}

void LeaseModel::on_sent(const SimNetwork::SentFrame& frame) {
    if (frame.to_host != kControllerHost || frame.bytes.size() < kHeader) return;
    if (type_of(frame.bytes) == kPing) {
        // Of two on their way, one may be the link's.
        const auto other = pings_.lower_bound({frame.connection, {}});
        const bool is_first = other == pings_.end() || other->first.first != frame.connection;
        pings_[{frame.connection, std::string(frame.bytes.substr(kHeader))}] = {world_.now(), is_first};
        return;
    }
    const std::string message = message_of(frame.bytes);
    if (message == "hello") hellos_[frame.connection] = world_.now();
    if (message == "accepted" && frame.bytes.find("\"problem\":\"") == std::string_view::npos)
        agreed(frame.from_host);
}

void LeaseModel::on_delivered(const SimNetwork::SentFrame& frame) {
    if (frame.from_host != kControllerHost || frame.bytes.size() < kHeader) return;
    if (type_of(frame.bytes) == kPong) {
        const auto sent = pings_.find({frame.connection, std::string(frame.bytes.substr(kHeader))});
        if (sent == pings_.end()) return;
        answered(frame.to_host, sent->second.at, sent->second.is_first);
        pings_.erase(sent);
        return;
    }
    const std::string message = message_of(frame.bytes);
    if (message == "welcome") answered(frame.to_host, hellos_[frame.connection], true);
    if (message == "current") agreed(frame.to_host);
}

bool LeaseModel::may_start(const std::string& node, SimTime latency) const {
    const auto found = leases_.find(node);
    if (found == leases_.end()) return false;
    return found->second.is_held && world_.now() < found->second.end + latency;
}

bool LeaseModel::may_end(const std::string& node) const {
    const auto found = leases_.find(node);
    if (found == leases_.end()) return true;
    const Lease& lease = found->second;
    return !lease.is_held || world_.now() >= lease.sure_end || world_.now() - lease.ended_at < kStop;
}

}  // namespace icos::sim
