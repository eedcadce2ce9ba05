// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "rollup.hpp"
#include "state.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <map>
#include <string>

/// JSON of docs/api/native.md. Pure.
namespace icos::job_manager {

/// What views are made from. Borrowed for one call.
struct Snapshot {
    const State& state;
    const Topology& topology;
    const std::map<NodeId, std::string>& problems;  ///< why nodes did not take their last plan
};

enum class Detail { with_services, brief };

boost::json::object to_json(const Snapshot& snapshot, const App& app, Detail detail);
boost::json::array components_json(const Snapshot& snapshot, const App& app, Detail detail);
boost::json::object to_json(
    const Snapshot& snapshot, const App& app, const Placement& placement, Detail detail
);
/// `node`: where the replica is although the decision may say otherwise, or empty.
boost::json::object explanation_json(
    const ReplicaDecision& decision, const Topology& topology, std::size_t considered
);
boost::json::array rejections_json(const ReplicaDecision& decision);
/// `"<part of the id>-<version>"`.
std::string etag_of(const App& app);

}  // namespace icos::job_manager
