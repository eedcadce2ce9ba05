// SPDX-License-Identifier: Apache-2.0
#include "desired.hpp"
#include "events.hpp"
#include "icos/async/runtime.hpp"
#include "job_service.hpp"

#include <algorithm>

namespace icos::job_manager {
namespace {

std::string request_message(Desired desired, std::size_t components) {
    switch (desired) {
        case Desired::running:
            return "start requested";
        case Desired::stopped:
            return "stop requested; volumes and networks stay";
        case Desired::deleted:
            return "delete requested, " + counted(components, "placement") + " to remove";
    }
    return {};
}

std::string_view request_word(Desired desired) {
    switch (desired) {
        case Desired::running:
            return "starting";
        case Desired::stopped:
            return "stopping";
        case Desired::deleted:
            return "deleting";
    }
    return "starting";
}

}  // namespace

Task<Result<boost::json::object>> JobService::set_desired(
    std::string project,
    std::string name,
    Desired desired,
    std::optional<std::string> if_match,
    std::string actor
) {
    if (const auto writable = check_writable(); writable.has_error()) co_return writable.error();
    const auto found = find(project, name);
    if (found.has_error()) co_return found.error();
    App& app = *state_.find(project, name);
    if (if_match && *if_match != "*" && *if_match != etag_of(app)) {
        co_return Error{
            errc::changed,
            name + " is at " + etag_of(app) + " now, not " + *if_match,
            "get it again and repeat the change"
        };
    }
    if (app.desired == desired) co_return show(app, Detail::with_services);
    if (app.desired == Desired::deleted) {
        co_return Error{
            errc::deleting, name + " is being deleted", "wait until it is gone: icos status " + name
        };
    }
    const AppId id = app.id;
    app.desired = desired;
    ++app.version;
    app.updated_at = ports_.runtime.wall();
    boost::json::object shown = show(app, Detail::with_services);
    Step step;
    step.apps.insert(id);
    const auto placements = state_.of_app(id);
    step.events.push_back(
        app_event(app, request_word(desired), request_message(desired, placements.size()), actor)
    );
    for (Placement* placement : placements) {
        if (desired == Desired::deleted) {
            start_removing(*placement, step);
            continue;
        }
        if (placement->removing) continue;
        placement->wanted_at = app.updated_at;
        step.placements.insert(placement->id);
        step.targets.insert(placement->node);
    }
    claims_changed();
    App* left = state_.find(id);
    if (left != nullptr && desired == Desired::deleted) {
        left->waiting.clear();
        forget_if_gone(*left, step);
        left = state_.find(id);
    }
    if (left != nullptr) {
        left->needs_planning = desired == Desired::running;
        refresh(*left, step);
        shown = show(*left, Detail::with_services);
    }
    wake();
    const auto outcome = commit(std::move(step));
    const Result<void> written = co_await durable(outcome);
    if (written.has_error()) co_return written.error();
    co_return shown;
}

Task<Result<boost::json::array>> JobService::explain(
    std::string project, std::string name, std::string component
) {
    const auto found = find(project, name);
    if (found.has_error()) co_return found.error();
    const App& app = **found;
    const auto application = app.application();
    if (!component.empty() && find_component(*application, component) == nullptr) {
        std::string known;
        for (const auto& c : application->components) known += (known.empty() ? "" : ", ") + c.name;
        co_return Error{
            errc::component_not_found, name + " has no component named " + component, "it has: " + known
        };
    }
    // As if every replica were asked for anew, but where it is counts as taken by itself alone.
    PlanInput input = plan_input(state_, &app, name, application, {}, ports_.runtime.wall());
    std::map<ReplicaKey, NodeId> homes;
    for (const Home& home : input.homes) {
        homes.emplace(ReplicaKey{home.component, home.replica}, home.node);
        input.request.existing.push_back({home.component, home.replica, home.node, false});
    }
    const auto topology = ports_.topology.current();
    const Matchmaker* matchmaker = &ports_.matchmaker;
    auto work = [matchmaker, topology, request = std::move(input.request)] {
        return matchmaker->place(*topology, request);
    };
    const PlaceResult result = co_await offload(ports_.runtime, Pool::compute, std::move(work));
    boost::json::array items;
    for (ReplicaDecision decision : result.decisions) {
        if (!component.empty() && decision.component != component) continue;
        const auto home = homes.find({decision.component, decision.replica});
        if (home != homes.end()) {
            if (decision.node != home->second) decision.reason = "runs here; it would not be placed here now";
            decision.node = home->second;
        }
        items.push_back(explanation_json(decision, *topology, topology->nodes.size()));
    }
    co_return items;
}

}  // namespace icos::job_manager
