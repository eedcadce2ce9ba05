// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fleet_state.hpp"

#include <boost/json/array.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace icos::fleet {

/// Something about a node that people should look at although it may be ready: what, and what to do.
struct Condition {
    /// cloned, machine_id_shared, engine_shared, engine_problem, clock_off, certificate_expiring,
    /// certificate_expired, disk_full, plan_refused: stable.
    std::string_view code;
    std::string message;
    std::string hint;
};

/// A node's clock counts as wrong from here on; below it, it may be the network's delay.
inline constexpr Duration kClockTolerance{60'000};
/// How long a refused second agent is shown: it tries again at least every 30 s while it runs.
inline constexpr Duration kContenderShown{std::chrono::minutes(10)};

/// What nodes have in common that each should have for itself, and how their clocks agree with ours. Names of
/// nodes by machine id and by engine id; lost nodes are left out, they may have been replaced.
struct Comparison {
    std::map<std::string, std::vector<std::string>> by_machine;
    std::map<std::string, std::vector<std::string>> by_engine;
    bool is_own_clock_suspect = false;  ///< most nodes whose clock is known disagree with the controller's
};
Comparison compare(const FleetState& state);

struct ConditionTimes {
    WallTime now;
    BootTime boot;
    Duration certificate_validity;
};
/// How long before its end a certificate is renewed, and warned of where that cannot be: a third of its
/// validity, at most 30 days.
Duration renew_before(Duration validity) noexcept;

/// Pure. Empty for a node that nothing is wrong with.
std::vector<Condition> conditions_of(
    const NodeEntry& entry, const Comparison& comparison, const ConditionTimes& times
);
/// "56 years behind", "2 min ahead".
std::string describe_offset(Duration offset);

/// Prometheus text: how many nodes have each condition, and how long the certificate that ends first lasts.
std::string condition_metrics(const FleetState& state, const ConditionTimes& times);

boost::json::array to_json(const std::vector<Condition>& conditions);

}  // namespace icos::fleet
