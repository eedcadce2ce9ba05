// SPDX-License-Identifier: Apache-2.0
#include "fleet_state.hpp"

#include "row_json.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::fleet {

std::string to_row(const RevokedKey& key) {
    return json::serialize(json::object{{"node", key.node}, {"at_ms", to_ms(key.at)}});
}

Result<RevokedKey> revoked_from_row(const std::string& id, std::string_view body) {
    RowReader row("revoked key", id, body);
    RevokedKey key{id, row.text("node"), from_ms(row.integer("at_ms"))};
    if (row.error()) return *row.error();
    return key;
}

void FleetState::replace(StoredFleet stored, BootTime now) {
    std::map<NodeId, NodeEntry> before = std::move(nodes_);
    nodes_.clear();
    by_name_.clear();
    by_key_.clear();
    tokens_.clear();
    by_secret_.clear();
    revoked_.clear();
    for (NodeRecord& record : stored.nodes) {
        NodeEntry& entry = add(std::move(record));
        const auto known = before.find(entry.record.id);
        if (known != before.end()) {
            entry.life = std::move(known->second.life);
            continue;
        }
        entry.life.state = entry.record.state;
        entry.life.last_seen = entry.record.last_seen;
        if (entry.life.state == NodeState::ready || entry.life.state == NodeState::suspect) {
            // Whether it was silent is not known while the controller was away: its lease begins again.
            entry.life.state = NodeState::ready;
            entry.life.renewed = now;
        }
    }
    for (Token& token : stored.tokens) add(std::move(token));
    for (RevokedKey& key : stored.revoked) add(std::move(key));
    touch();
}

NodeEntry* FleetState::find(const NodeId& id) {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
}
const NodeEntry* FleetState::find(const NodeId& id) const {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
}

const NodeEntry* FleetState::find_name(std::string_view name_or_id) const {
    const auto named = by_name_.find(name_or_id);
    return find(named == by_name_.end() ? NodeId{std::string(name_or_id)} : named->second);
}
NodeEntry* FleetState::find_name(std::string_view name_or_id) {
    const auto named = by_name_.find(name_or_id);
    return find(named == by_name_.end() ? NodeId{std::string(name_or_id)} : named->second);
}

NodeEntry* FleetState::find_key(std::string_view key_id) {
    const auto found = by_key_.find(key_id);
    return found == by_key_.end() ? nullptr : find(found->second);
}

NodeEntry& FleetState::add(NodeRecord record) {
    const NodeId id = record.id;
    by_name_.insert_or_assign(record.name, id);
    by_key_.insert_or_assign(record.key_id, id);
    NodeEntry& entry = nodes_[id];
    entry.record = std::move(record);
    touch();
    return entry;
}

void FleetState::change_key(NodeEntry& entry, std::string key_id) {
    by_key_.erase(entry.record.key_id);
    by_key_.insert_or_assign(key_id, entry.record.id);
    entry.record.key_id = std::move(key_id);
    touch();
}

void FleetState::remove(const NodeId& id) {
    const auto found = nodes_.find(id);
    if (found == nodes_.end()) return;
    by_name_.erase(found->second.record.name);
    by_key_.erase(found->second.record.key_id);
    nodes_.erase(found);
    touch();
}

Token* FleetState::find_token(std::string_view id) {
    const auto found = tokens_.find(std::string(id));
    return found == tokens_.end() ? nullptr : &found->second;
}

Token* FleetState::find_secret(std::string_view secret_hash) {
    const auto found = by_secret_.find(secret_hash);
    return found == by_secret_.end() ? nullptr : find_token(found->second);
}

void FleetState::add(Token token) {
    by_secret_.insert_or_assign(token.secret_hash, token.id);
    std::string id = token.id;
    tokens_.insert_or_assign(std::move(id), std::move(token));
}

void FleetState::remove_token(const std::string& id) {
    const auto found = tokens_.find(id);
    if (found == tokens_.end()) return;
    by_secret_.erase(found->second.secret_hash);
    tokens_.erase(found);
}

const RevokedKey* FleetState::find_revoked(std::string_view key_id) const {
    const auto found = revoked_.find(key_id);
    return found == revoked_.end() ? nullptr : &found->second;
}

void FleetState::add(RevokedKey key) {
    std::string id = key.key_id;
    revoked_.insert_or_assign(std::move(id), std::move(key));
}

std::shared_ptr<const Topology> FleetState::topology() const {
    if (!stale_ && topology_) return topology_;
    auto made = std::make_shared<Topology>();
    made->version = ++version_;
    made->lease = lease_;
    made->nodes.reserve(nodes_.size());
    for (const auto& [id, entry] : nodes_) made->nodes.push_back(to_node(entry));
    topology_ = std::move(made);
    stale_ = false;
    return topology_;
}

Node to_node(const NodeEntry& entry) {
    const NodeRecord& record = entry.record;
    const agent::Facts& facts = record.facts;
    Node node;
    node.id = record.id;
    node.name = record.name;
    node.cluster = record.cluster;
    node.state = entry.life.state;
    node.cordoned = record.cordoned;
    node.draining = record.draining;
    node.confirmed_lost = record.confirmed_lost;
    node.architecture = facts.architecture;
    node.cpu_milli = facts.cpu_milli;
    node.memory_bytes = facts.memory_bytes;
    node.engine = facts.engine;
    node.engine_version = facts.engine_version;
    node.engine_problem = facts.engine_problem;
    node.labels = record.labels();
    node.devices = record.devices();
    node.os = facts.os;
    node.kernel = facts.kernel;
    node.location = record.location();
    node.address = facts.address;
    node.agent_version = facts.agent_version;
    node.keeps_lease = facts.keeps_lease;
    node.joined_at = record.joined_at;
    node.last_seen = entry.life.last_seen.value_or(WallTime{});
    node.round_trip = entry.life.round_trip;
    return node;
}

}  // namespace icos::fleet
