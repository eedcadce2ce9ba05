// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/core/log.hpp"
#include "icos/ports/claims.hpp"
#include "journal.hpp"
#include "request_body.hpp"
#include "settings.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace icos::fleet {

/// Changes of nodes that are in: what people change, what agents report, and the lease. Loop-confined.
class NodeService {
public:
    struct Hooks {
        std::function<void()> topology_changed;           ///< memory has a new topology
        std::function<void(const NodeId&)> node_removed;  ///< forgotten: its link has to go
        std::function<ClaimSum(const NodeId&)> claims;
    };
    NodeService(Runtime& runtime, Journal& journal, const Settings& settings, Hooks hooks);

    /// node.not_found, node.changed (`if_match` is not the node's ETag), store errors. The entry as it is
    /// then.
    Task<Result<NodeEntry>> change(
        std::string name, NodeChange change, std::string if_match, std::string actor
    );
    /// Forgets a node and revokes its key: node.not_found, node.in_use, store errors. With `force`, a node
    /// that is lost is forgotten together with the placements on it; they get new homes.
    Task<Result<void>> remove(std::string name, bool force, std::string actor);

    /// A frame of the node came in now.
    void heard(const NodeId& id, std::optional<Duration> round_trip = {});
    void said_hello(const NodeId& id, agent::Facts facts);
    /// What the node's wall clock shows now; 0: it does not say.
    void told_clock(const NodeId& id, std::int64_t wall_ms);
    /// Warns of certificates that end soon and notices that the controller's own clock was set; call about
    /// once a second.
    void check_clocks();
    void facts_changed(const NodeId& id, agent::Facts facts);
    /// The agent stops while its containers go on: it no longer ends what is exclusive with its lease.
    /// Resumes once durable.
    Task<Result<void>> stops_keeping_lease(NodeId id);
    /// Looks at every lease; call about once a second.
    void check_leases();
    /// Writes what became of nodes while nothing could be written.
    void write_states();

    static std::string etag(const NodeRecord& record);

private:
    void renew(NodeEntry& entry);
    void move(NodeEntry& entry, NodeState to, std::string message, ChangeSet& changes);
    std::string return_message(const NodeEntry& entry) const;
    /// What changed for people; nullopt when nothing did.
    std::optional<std::string> take_facts(NodeEntry& entry, agent::Facts facts);

    Runtime& runtime_;
    Journal& journal_;
    const Settings& settings_;
    Hooks hooks_;
    Log log_{"fleet"};
    std::optional<BootTime> last_check_;
    std::optional<std::int64_t> wall_less_boot_ms_;  ///< of the controller's clocks, at the last look
    std::optional<BootTime> certificates_checked_;
};

/// An event about a node. `actor` empty: fleet itself.
EventDraft node_event(
    std::string kind,
    const NodeEntry& entry,
    std::string message,
    std::string actor = {},
    Layer layer = Layer::runtime
);

}  // namespace icos::fleet
