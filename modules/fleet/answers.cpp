// SPDX-License-Identifier: Apache-2.0
#include "answers.hpp"

#include "row_json.hpp"

#include <algorithm>

namespace icos::fleet {
namespace {

std::uint64_t less(std::uint64_t capacity, std::uint64_t claimed) noexcept {
    return capacity > claimed ? capacity - claimed : 0;
}

json::object labels_to_json(const Labels& labels) {
    json::object out;
    for (const auto& [key, value] : labels) out.emplace(key, value);
    return out;
}

}  // namespace

std::string_view status_word(const NodeEntry& entry) noexcept {
    if (entry.life.state != NodeState::ready) return to_string(entry.life.state);
    if (entry.record.draining) return "draining";
    if (entry.record.cordoned) return "cordoned";
    if (entry.record.facts.engine.empty()) return "no engine";
    return "ready";
}

json::object node_to_json(const NodeEntry& entry, const ClaimSum& claims, BootTime now) {
    const Node node = to_node(entry);
    const std::string_view word = status_word(entry);
    const std::string_view state = to_string(node.state);
    json::object out{
        {"id", node.id.value},
        {"name", node.name},
        {"cluster", node.cluster},
        {"orchestrator", node.orchestrator},
        {"state", json::string_view(state.data(), state.size())},
        {"status", json::string_view(word.data(), word.size())},
        {"cordoned", node.cordoned},
        {"draining", node.draining},
        {"confirmed_lost", node.confirmed_lost},
        {"architecture", node.architecture},
        {"cpu_milli", node.cpu_milli},
        {"cpu_free_milli", less(node.cpu_milli, claims.cpu_milli)},
        {"memory_bytes", node.memory_bytes},
        {"memory_free_bytes", less(node.memory_bytes, claims.memory_bytes)},
        {"engine", node.engine},
        {"engine_version", node.engine_version},
        {"engine_problem", node.engine_problem},
        {"os", node.os},
        {"kernel", node.kernel},
        {"labels", labels_to_json(node.labels)},
        {"devices", devices_to_json(node.devices)},
        {"location", node.location},
        {"address", node.address},
        {"agent_version", node.agent_version},
        {"joined_at", to_rfc3339(node.joined_at)},
        {"certificate_until", nullptr},
        {"clock_offset_ms", nullptr},
        {"last_seen", nullptr},
        {"last_seen_ms_ago", nullptr},
        {"round_trip_ms", nullptr},
        {"placements", claims.placements},
    };
    if (entry.life.last_seen) out["last_seen"] = to_rfc3339(*entry.life.last_seen);
    // A lease that was granted at start is no sign of life.
    if (entry.life.last_seen && entry.life.renewed)
        out["last_seen_ms_ago"] = std::chrono::duration_cast<Duration>(now - *entry.life.renewed).count();
    if (entry.record.certificate_until)
        out["certificate_until"] = to_rfc3339(*entry.record.certificate_until);
    if (entry.life.clock_offset) out["clock_offset_ms"] = entry.life.clock_offset->count();
    if (entry.life.round_trip) out["round_trip_ms"] = entry.life.round_trip->count();
    return out;
}

json::object token_to_json(const Token& token) {
    json::array used;
    for (const TokenUse& use : token.used_by) {
        used.push_back(json::object{{"node", use.node}, {"at", to_rfc3339(use.at)}});
    }
    return json::object{
        {"id", token.id},
        {"cluster", token.cluster},
        {"labels", labels_to_json(token.labels)},
        {"devices", devices_to_json(token.devices)},
        {"created_at", to_rfc3339(token.created_at)},
        {"expires_at", to_rfc3339(token.expires_at)},
        {"uses_left", token.uses_left()},
        {"replaces", token.replaces.value},
        {"used_by", std::move(used)},
    };
}

std::map<std::string, Cluster> clusters_of(const FleetState& state) {
    std::map<std::string, Cluster> out;
    for (const auto& [id, entry] : state.nodes()) {
        Cluster& cluster = out[entry.record.cluster];
        cluster.name = entry.record.cluster;
        cluster.nodes.push_back(entry.record.name);
        if (entry.life.state == NodeState::ready) ++cluster.ready;
    }
    for (auto& [name, cluster] : out) std::sort(cluster.nodes.begin(), cluster.nodes.end());
    return out;
}

json::object cluster_to_json(const Cluster& cluster) {
    json::array nodes;
    for (const std::string& node : cluster.nodes) nodes.emplace_back(node);
    return json::object{
        {"name", cluster.name},
        {"nodes", std::move(nodes)},
        {"ready", cluster.ready},
        {"total", cluster.nodes.size()},
    };
}

}  // namespace icos::fleet
