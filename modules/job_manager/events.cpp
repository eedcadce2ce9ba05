// SPDX-License-Identifier: Apache-2.0
#include "events.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace icos::job_manager {

EventDraft app_event(const App& app, std::string_view word, std::string message, std::string_view actor) {
    EventDraft event;
    event.kind = "app." + std::string(word);
    event.project = app.project;
    event.subject_kind = "app";
    event.subject = app.name;
    event.message = std::move(message);
    event.app = app.name;
    event.actor = actor;
    const boost::json::object data{
        {"app_id", app.id.value}, {"generation", app.generation}, {"desired", to_string(app.desired)}
    };
    event.data = boost::json::serialize(data);
    return event;
}

EventDraft replica_event(
    const App& app,
    std::string_view kind,
    const std::string& component,
    std::uint32_t replica,
    std::string node,
    std::string message
) {
    EventDraft event;
    event.kind = kind;
    event.project = app.project;
    event.subject_kind = "component";
    event.subject = replica_name(app, component, replica);
    event.message = std::move(message);
    event.app = app.name;
    event.node = std::move(node);
    event.actor = kSelf;
    const boost::json::object data{
        {"app_id", app.id.value},
        {"component", component},
        {"replica", replica},
        {"generation", app.generation}
    };
    event.data = boost::json::serialize(data);
    return event;
}

std::string observed_message(const Placement& placement, const ReplicaView& view, WallTime now) {
    std::string text = placement.node_name;
    if (!view.reason.empty()) return text + ": " + view.reason;
    if (view.state != ReplicaState::running) return text;
    bool is_checked = false;
    if (placement.observed) {
        for (const auto& service : placement.observed->services)
            is_checked = is_checked || !service.health.empty();
    }
    const auto took = to_ms(now) - to_ms(placement.wanted_at);
    if (is_checked) text += ", healthy";
    if (took >= 0 && took < 3'600'000)
        text += fmt::format("{} after {:.1f} s", is_checked ? "" : ",", static_cast<double>(took) / 1000);
    return text;
}

std::string replica_name(const App& app, const std::string& component, std::uint32_t replica) {
    const std::string name = app.name + "/" + component;
    return replica == 0 ? name : name + "." + std::to_string(replica);
}

std::string counted(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace icos::job_manager
