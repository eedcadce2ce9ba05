// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fleet_state.hpp"
#include "icos/ports/claims.hpp"
#include "token_service.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// JSON of docs/api/native.md, "Nodes and clusters". Pure.
namespace icos::fleet {

/// The one word people read: ready, cordoned, draining, suspect, lost, joining, "no engine".
std::string_view status_word(const NodeEntry& entry) noexcept;
boost::json::object node_to_json(const NodeEntry& entry, const ClaimSum& claims, BootTime now);
boost::json::object token_to_json(const Token& token);

struct Cluster {
    std::string name;
    std::vector<std::string> nodes;  ///< names, sorted
    std::size_t ready = 0;
};
std::map<std::string, Cluster> clusters_of(const FleetState& state);
boost::json::object cluster_to_json(const Cluster& cluster);

}  // namespace icos::fleet
