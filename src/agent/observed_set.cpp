// SPDX-License-Identifier: Apache-2.0
#include "unit.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace icos::agent {
namespace {

bool is_up(const ContainerState& container) {
    return container.state == "running" || container.state == "restarting" || container.state == "paused";
}

std::uint64_t generation_of(const ContainerState& container) {
    const std::string text = label_of(container, label::kGeneration);
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string with_hint(const Error& error) {
    return error.hint.empty() ? error.detail : error.detail + "; " + error.hint;
}

}  // namespace

const ErrorDomain& rollout_domain() noexcept {
    static constexpr std::array entries{
        ErrorEntry{"exits", ErrorKind::upstream},
        ErrorEntry{"unhealthy", ErrorKind::upstream},
        ErrorEntry{"dependency_failed", ErrorKind::upstream},
        ErrorEntry{"superseded", ErrorKind::conflict},
        ErrorEntry{"lease_ended", ErrorKind::conflict},
        ErrorEntry{"waits", ErrorKind::conflict},
    };
    static const ErrorDomain domain("rollout", entries);
    return domain;
}

std::vector<const ContainerState*> Unit::of_digest(const std::string& digest) const {
    std::vector<const ContainerState*> out;
    for (const ContainerState& container : containers) {
        if (label_of(container, label::kDigest) == digest) out.push_back(&container);
    }
    return out;
}

std::vector<const ContainerState*> Unit::of_service(const std::string& digest, const std::string& service)
    const {
    std::vector<const ContainerState*> out = of_digest(digest);
    std::erase_if(out, [&](const ContainerState* c) { return label_of(*c, label::kService) != service; });
    return out;
}

std::string Unit::fallback_digest() const {
    struct Group {
        bool is_staged = true;
        std::size_t up = 0;
    };
    std::map<std::string, Group> groups;
    for (const ContainerState& container : containers) {
        const std::string digest = label_of(container, label::kDigest);
        if (wanted && digest == wanted->digest) continue;
        Group& group = groups[digest];
        if (!container.name.ends_with("-g" + digest.substr(0, 8))) group.is_staged = false;
        if (is_up(container)) ++group.up;
    }
    const auto best = std::max_element(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
        if (a.second.is_staged != b.second.is_staged) return a.second.is_staged;
        return a.second.up < b.second.up;
    });
    return best == groups.end() ? std::string() : best->first;
}

std::string Unit::serving_digest() const {
    if (containers.empty()) return {};
    std::string fallback = fallback_digest();
    if (!fallback.empty() || !wanted) return fallback;
    return wanted->digest;
}

UnitView view_of(const Unit& unit, std::int64_t now_ms) {
    UnitView view;
    ObservedPlacement& out = view.observed;
    out.placement = unit.id;
    out.app = unit.wanted ? unit.wanted->app : unit.app;
    out.component = unit.wanted ? unit.wanted->component : unit.component;
    out.progress = unit.progress;

    const std::string serving = unit.serving_digest();
    std::vector<ContainerState> shown;
    for (const ContainerState* container : unit.of_digest(serving)) shown.push_back(*container);
    out.services = observed_services(shown, unit.network, unit.last_exit);
    if (!shown.empty()) {
        out.digest = serving;
        for (const ContainerState& container : shown)
            out.generation = std::max(out.generation, generation_of(container));
    }
    if (!unit.wanted) {
        out.state = PlacementState::removing;
        if (unit.problem) {
            out.reason = with_hint(*unit.problem);
            out.reason_code = reason_code_of(*unit.problem);
        }
        return view;
    }
    const DesiredPlacement& wanted = *unit.wanted;
    const bool is_wanted = serving == wanted.digest;
    if (is_wanted)
        out.generation = wanted.generation;
    else
        out.wanted_digest = wanted.digest;

    std::vector<const ContainerState*> group;
    for (const ContainerState& container : shown) group.push_back(&container);
    Judgement judged = judge(group, unit.traits, unit.last_exit, Duration(wanted.health_timeout_ms), now_ms);
    const bool any_up = std::any_of(shown.begin(), shown.end(), is_up);
    if (!wanted.run) {
        out.wanted_digest.clear();
        if (!any_up && unit.looked) {
            out.state = PlacementState::stopped;
            return view;
        }
    }
    out.state = judged.state;
    out.reason = std::move(judged.reason);
    out.reason_code = std::move(judged.reason_code);
    view.look_again = judged.look_again;
    if (unit.awaits_lease && wanted.run && !any_up && unit.looked) {
        out.state = PlacementState::pending;
        out.reason =
            "waits for the controller: at most one copy may run anywhere, and the node's lease has ended";
        out.reason_code = "lease.ended";
        return view;
    }
    if (unit.doing && (!any_up || (is_wanted && judged.state == PlacementState::completed))) {
        // A service that completed early does not complete the placement while others are still to be
        // started.
        out.state = *unit.doing;
    }
    if (unit.connection_problem && out.reason.empty()) {
        out.reason = with_hint(*unit.connection_problem);
        out.reason_code = reason_code_of(*unit.connection_problem);
    }
    if (unit.problem) {
        if (unit.problem->code == rollout_errc::waits) {
            // Nothing is wrong: what is there serves as before.
            if (out.reason.empty()) out.reason = with_hint(*unit.problem);
        } else if (!is_wanted && !shown.empty()) {
            out.reason = "the update failed: " + with_hint(*unit.problem) + "; generation " +
                         std::to_string(out.generation) + " stays";
        } else {
            out.state = PlacementState::failed;
            out.reason = with_hint(*unit.problem);
        }
        out.reason_code = reason_code_of(*unit.problem);
    }
    return view;
}

}  // namespace icos::agent
