// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/ports/topology_view.hpp"
#include "lease.hpp"
#include "node_record.hpp"
#include "token.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::fleet {

/// A second agent that claimed a node's identity while the first one answered. Texts name machines as people
/// would look for them: "edge-1 at 192.0.2.7:4711 (boot 5f0c1a2b)".
struct Contender {
    std::string refused;
    std::string present;
    BootTime boot{};      ///< of the last refusal
    BootTime reported{};  ///< when the event table was told last
};

/// What is known of a node only while the controller runs.
struct NodeLife {
    NodeState state = NodeState::joining;
    std::optional<BootTime> renewed;  ///< last frame, or when the lease was granted at start
    std::optional<WallTime> last_seen;
    std::optional<Duration> round_trip;
    std::optional<Duration> clock_offset;  ///< the node's wall clock less the controller's
    std::optional<Contender> contender;
    std::string plan_problem;                    ///< why the node did not take what it shall run
    std::optional<WallTime> certificate_warned;  ///< end of the certificate that was warned of
};

struct NodeEntry {
    NodeRecord record;
    NodeLife life;
};

/// A key that must never be let in again (row kind "revoked_key", id = key id).
struct RevokedKey {
    std::string key_id;
    std::string node;
    WallTime at{};
};
inline constexpr std::string_view kRevokedRow = "revoked_key";
std::string to_row(const RevokedKey& key);
Result<RevokedKey> revoked_from_row(const std::string& id, std::string_view body);

/// Rows as loaded.
struct StoredFleet {
    std::vector<NodeRecord> nodes;
    std::vector<Token> tokens;
    std::vector<RevokedKey> revoked;
};

/// The fleet in memory, with its indexes and the topology made of it. No I/O, no clock. Loop-confined.
/// Pointers stay valid until their node or token is removed or `replace` is called.
class FleetState {
public:
    /// Takes what is stored. Nodes that are already known keep their life; the others start from their stored
    /// state, and those that were not lost get a full lease from `now`.
    void replace(StoredFleet stored, BootTime now);

    const std::map<NodeId, NodeEntry>& nodes() const noexcept { return nodes_; }
    /// Lets `change` look at and change every entry; it must not add or remove any.
    template <class Change>
    void for_each(Change change) {
        for (auto& [id, entry] : nodes_) change(entry);
    }
    NodeEntry* find(const NodeId& id);
    const NodeEntry* find(const NodeId& id) const;
    NodeEntry* find_name(std::string_view name_or_id);
    const NodeEntry* find_name(std::string_view name_or_id) const;
    NodeEntry* find_key(std::string_view key_id);
    NodeEntry& add(NodeRecord record);
    /// The node is known by another key from now on.
    void change_key(NodeEntry& entry, std::string key_id);
    void remove(const NodeId& id);
    /// Call after changing an entry: the topology is made anew when it is next asked for.
    void touch() noexcept { stale_ = true; }

    const std::map<std::string, Token>& tokens() const noexcept { return tokens_; }
    Token* find_token(std::string_view id);
    Token* find_secret(std::string_view secret_hash);
    void add(Token token);
    void remove_token(const std::string& id);

    const RevokedKey* find_revoked(std::string_view key_id) const;
    void add(RevokedKey key);

    std::shared_ptr<const Topology> topology() const;
    /// Of every node, as the topology tells.
    void set_lease(Duration lease) noexcept { lease_ = lease; }

private:
    template <class Value>
    using ByText = std::map<std::string, Value, std::less<>>;

    std::map<NodeId, NodeEntry> nodes_;
    ByText<NodeId> by_name_;
    ByText<NodeId> by_key_;
    std::map<std::string, Token> tokens_;
    ByText<std::string> by_secret_;
    ByText<RevokedKey> revoked_;
    Duration lease_ = Topology{}.lease;
    mutable bool stale_ = true;
    mutable std::uint64_t version_ = 0;
    mutable std::shared_ptr<const Topology> topology_;
};

/// The node as others see it.
Node to_node(const NodeEntry& entry);

}  // namespace icos::fleet
