// SPDX-License-Identifier: Apache-2.0
#include "conditions.hpp"

#include <boost/json/object.hpp>

#include <algorithm>

namespace icos::fleet {
namespace {

using Days = std::chrono::duration<std::int64_t, std::ratio<86'400>>;
constexpr Days kLongestWarning{30};
constexpr Days kYear{365};

/// The other names, "edge-2 and edge-3"; empty without any.
std::string others(
    const std::map<std::string, std::vector<std::string>>& names,
    const std::string& key,
    const std::string& own
) {
    const auto found = names.find(key);
    if (key.empty() || found == names.end()) return {};
    std::string out;
    for (const std::string& name : found->second) {
        if (name != own) out += (out.empty() ? "" : " and ") + name;
    }
    return out;
}

bool is_off(Duration offset) noexcept {
    return offset > kClockTolerance || offset < -kClockTolerance;
}

void add_certificate(const NodeEntry& entry, const ConditionTimes& times, std::vector<Condition>& out) {
    if (!entry.record.certificate_until) return;
    const Duration left = *entry.record.certificate_until - times.now;
    const std::string until = to_rfc3339(*entry.record.certificate_until);
    const std::string hint =
        "the node renews it by itself while it is connected: look why it is not (systemctl status icos-agent "
        "there); what runs there runs on";
    if (left <= Duration{0}) {
        out.push_back({"certificate_expired", "its certificate expired at " + until, hint});
    } else if (left < renew_before(times.certificate_validity)) {
        out.push_back({"certificate_expiring", "its certificate expires in " + for_people(left), hint});
    }
}

void add_clock(
    const NodeEntry& entry,
    const Comparison& comparison,
    const ConditionTimes& times,
    std::vector<Condition>& out
) {
    if (!entry.life.clock_offset || !is_off(*entry.life.clock_offset)) return;
    out.push_back(
        {"clock_off",
         "its clock is " + describe_offset(*entry.life.clock_offset) + " the controller's (it says " +
             to_rfc3339(times.now + *entry.life.clock_offset).substr(0, 16) + "Z)",
         comparison.is_own_clock_suspect
             ? "most nodes disagree with this controller: look at its own clock first (timedatectl)"
             : "set it there: timedatectl set-ntp true. Nothing is stopped because of it; times in logs are "
               "wrong"}
    );
}

}  // namespace

Duration renew_before(Duration validity) noexcept {
    return std::min(validity / 3, std::chrono::duration_cast<Duration>(kLongestWarning));
}

std::string describe_offset(Duration offset) {
    const Duration size = offset < Duration{0} ? -offset : offset;
    const std::string text = size > 2 * kYear ? std::to_string(size / kYear) + " years" : for_people(size);
    return text + (offset < Duration{0} ? " behind" : " ahead of");
}

Comparison compare(const FleetState& state) {
    Comparison out;
    std::size_t known = 0;
    std::size_t off = 0;
    for (const auto& [id, entry] : state.nodes()) {
        if (entry.life.state == NodeState::lost) continue;
        const agent::Facts& facts = entry.record.facts;
        if (!facts.machine_id.empty()) out.by_machine[facts.machine_id].push_back(entry.record.name);
        if (!facts.engine_id.empty()) out.by_engine[facts.engine_id].push_back(entry.record.name);
        if (!entry.life.clock_offset) continue;
        ++known;
        if (is_off(*entry.life.clock_offset)) ++off;
    }
    out.is_own_clock_suspect = off >= 2 && off * 2 > known;
    return out;
}

std::vector<Condition> conditions_of(
    const NodeEntry& entry, const Comparison& comparison, const ConditionTimes& times
) {
    std::vector<Condition> out;
    const NodeRecord& record = entry.record;
    const auto& contender = entry.life.contender;
    if (contender && times.boot - contender->boot < kContenderShown) {
        out.push_back(
            {"cloned",
             "a second agent with this identity, " + contender->refused + ", was refused " +
                 for_people(std::chrono::duration_cast<Duration>(times.boot - contender->boot)) +
                 " ago; the first, " + contender->present + ", stays",
             "on the machine that is the copy: systemctl stop icos-agent; icos-agent reset-identity; then "
             "join it "
             "with a new token (icos node token)"}
        );
    }
    const bool is_lost = entry.life.state == NodeState::lost;
    if (const std::string twins =
            is_lost ? "" : others(comparison.by_machine, record.facts.machine_id, record.name);
        !twins.empty()) {
        out.push_back(
            {"machine_id_shared",
             "it has the machine id of " + twins + ": one is a copy of the other's image",
             "give the copy one of its own: rm /etc/machine-id; systemd-machine-id-setup; reboot"}
        );
    }
    if (const std::string twins =
            is_lost ? "" : others(comparison.by_engine, record.facts.engine_id, record.name);
        !twins.empty()) {
        out.push_back(
            {"engine_shared",
             "it uses the container engine of " + twins + ": what is free is counted twice",
             "one engine serves one node: stop one of the agents and remove its node (icos node rm)"}
        );
    }
    if (!record.facts.engine_problem.empty())
        out.push_back({"engine_problem", record.facts.engine_problem, ""});
    add_clock(entry, comparison, times, out);
    add_certificate(entry, times, out);
    if (!record.facts.disk_problem.empty()) {
        out.push_back(
            {"disk_full", record.facts.disk_problem, "free space there; the node goes on by itself then"}
        );
    } else if (!entry.life.plan_problem.empty()) {
        out.push_back(
            {"plan_refused",
             "it cannot take what it shall run: " + entry.life.plan_problem,
             "what it accepted before runs on; it is asked again every 30 s"}
        );
    }
    return out;
}

std::string condition_metrics(const FleetState& state, const ConditionTimes& times) {
    const Comparison comparison = compare(state);
    std::map<std::string_view, std::size_t> counts;
    for (const std::string_view code :
         {"cloned",
          "machine_id_shared",
          "engine_shared",
          "engine_problem",
          "clock_off",
          "certificate_expiring",
          "certificate_expired",
          "disk_full",
          "plan_refused"})
        counts[code] = 0;
    std::optional<Duration> first;
    for (const auto& [id, entry] : state.nodes()) {
        for (const Condition& condition : conditions_of(entry, comparison, times)) ++counts[condition.code];
        if (!entry.record.certificate_until) continue;
        const Duration left = *entry.record.certificate_until - times.now;
        if (!first || left < *first) first = left;
    }
    std::string out = "# TYPE icos_fleet_node_conditions gauge\n";
    for (const auto& [code, count] : counts) {
        out += "icos_fleet_node_conditions{condition=\"" + std::string(code) + "\"} " +
               std::to_string(count) + "\n";
    }
    if (first) {
        out += "# TYPE icos_fleet_certificate_seconds_left gauge\nicos_fleet_certificate_seconds_left " +
               std::to_string(first->count() / 1000) + "\n";
    }
    return out;
}

boost::json::array to_json(const std::vector<Condition>& conditions) {
    boost::json::array out;
    for (const Condition& condition : conditions) {
        out.push_back(boost::json::object{
            {"code", boost::json::string_view(condition.code.data(), condition.code.size())},
            {"message", condition.message},
            {"hint", condition.hint},
        });
    }
    return out;
}

}  // namespace icos::fleet
