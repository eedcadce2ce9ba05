// SPDX-License-Identifier: Apache-2.0
#include "view.hpp"

#include "desired.hpp"

#include <algorithm>

namespace icos::job_manager {
namespace {

namespace json = boost::json;

std::string_view engine_word(descriptor::Engine engine) {
    return engine == descriptor::Engine::kubernetes ? "kubernetes" : "docker";
}

std::string_view type_word(descriptor::ComponentType type) {
    switch (type) {
        case descriptor::ComponentType::kubernetes:
            return "kubernetes";
        case descriptor::ComponentType::docker:
            return "docker";
        case descriptor::ComponentType::multiple:
            return "multiple";
    }
    return "docker";
}

std::string_view engine_of(const App& app, const std::vector<const Placement*>& placements) {
    if (!placements.empty()) return engine_word(placements.front()->engine);
    const auto application = app.application();
    const auto& components = application->components;
    const auto fixed = std::find_if(components.begin(), components.end(), [](const auto& component) {
        return component.type != descriptor::ComponentType::multiple;
    });
    return fixed == components.end() ? "multiple" : type_word(fixed->type);
}

json::value time_or_null(std::int64_t ms) {
    if (ms <= 0) return nullptr;
    return json::value(to_rfc3339(from_ms(ms)));
}

json::array services_json(const agent::ObservedPlacement& observed) {
    json::array out;
    for (const auto& service : observed.services) {
        json::array ports;
        for (const std::string& port : service.ports) ports.emplace_back(port);
        json::value exit_code = nullptr;
        if (service.exit_code) exit_code = *service.exit_code;
        out.push_back(json::object{
            {"service", service.service},
            {"container", service.container},
            {"name", service.name},
            {"state", service.state},
            {"health", service.health},
            {"exit_code", exit_code},
            {"restarts", service.restarts},
            {"started_at", time_or_null(service.started_ms)},
            {"ip", service.ip},
            {"ports", std::move(ports)},
            {"image", service.image},
        });
    }
    return out;
}

/// Where a person reaches it: "10.0.0.12:8080", from "0.0.0.0:8080->80/tcp".
std::string address_of(const Placement& placement, const Node* node) {
    if (!placement.observed) return {};
    for (const auto& service : placement.observed->services) {
        for (const std::string& port : service.ports) {
            const std::size_t arrow = port.find("->");
            if (arrow == std::string::npos) continue;
            const std::string host = port.substr(0, arrow);
            const std::size_t colon = host.rfind(':');
            if (colon == std::string::npos) continue;
            const std::string ip = host.substr(0, colon);
            const bool is_any = ip.empty() || ip == "0.0.0.0" || ip == "::" || ip == "[::]";
            if (!is_any) return host;
            const std::string machine =
                node == nullptr || node->address.empty() ? placement.node_name : node->address;
            return machine + host.substr(colon);
        }
    }
    return {};
}

std::uint32_t restarts_of(const Placement& placement) {
    std::uint32_t restarts = 0;
    if (placement.observed) {
        for (const auto& service : placement.observed->services) restarts += service.restarts;
    }
    return restarts;
}

/// "moves", or "stays: " and why.
std::string drain_text(const App& app, const Placement& placement) {
    if (placement.removing || placement.retiring) return "moves";
    const auto* component = find_component(*app.application(), placement.component);
    if (component != nullptr && loss_rule(*component) == descriptor::OnNodeLoss::keep)
        return "stays: what it keeps is on the node (onNodeLoss: keep)";
    if (app.desired == Desired::stopped) return "stays: the application is stopped";
    const auto waiting = app.waiting.find({placement.component, placement.replica});
    if (waiting != app.waiting.end()) return "stays: " + waiting->second.reason;
    return "moves";
}

ReplicaView view_in(const Snapshot& snapshot, const App& app, const Placement& placement) {
    const auto problem = snapshot.problems.find(placement.node);
    const std::string_view text = problem == snapshot.problems.end() ? std::string_view() : problem->second;
    return view_of(placement, app.desired, snapshot.topology.find(placement.node), text);
}

json::object waiting_json(const App& app, const ReplicaDecision& decision) {
    return {
        {"id", ""},
        {"app", app.name},
        {"project", app.project},
        {"component", decision.component},
        {"replica", decision.replica},
        {"generation", 0},
        {"wanted_generation", app.generation},
        {"node", ""},
        {"node_id", ""},
        {"cluster", ""},
        {"engine", engine_word(decision.engine)},
        {"orchestrator", ""},
        {"state", "pending"},
        {"reason", decision.reason},
        {"reason_code", "placement.no_node"},
        {"progress", ""},
        {"since", to_rfc3339(app.updated_at)},
        {"restarts", 0},
        {"address", ""},
        {"considered", decision.rejections.size()},
        {"rejections", rejections_json(decision)},
        {"services", json::array()},
    };
}

json::object component_json(
    const Snapshot& snapshot,
    const App& app,
    const std::string& name,
    const descriptor::Component* component,
    const std::vector<const Placement*>& placements,
    const std::vector<ReplicaView>& views,
    Detail detail
) {
    json::array out;
    std::set<ReplicaKey> placed;
    for (const Placement* placement : placements) {
        if (placement->component != name) continue;
        if (!placement->removing && !placement->retiring) placed.insert({name, placement->replica});
        out.push_back(to_json(snapshot, app, *placement, detail));
    }
    for (const auto& [key, decision] : app.waiting) {
        if (key.first == name && !placed.contains(key)) out.push_back(waiting_json(app, decision));
    }
    json::array services;
    if (component != nullptr) {
        for (const std::string& service : component->services) services.emplace_back(service);
    }
    std::vector<ReplicaView> own;
    std::copy_if(views.begin(), views.end(), std::back_inserter(own), [&](const auto& v) {
        return v.component == name;
    });
    const Rollup rollup = roll_up(component == nullptr ? Desired::deleted : app.desired, own);
    std::string reason = rollup.reason;
    const std::string prefix = name + ": ";
    if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
    return {
        {"app", app.name},
        {"name", name},
        {"type", component == nullptr ? "" : type_word(component->type)},
        {"state", to_string(rollup.state)},
        {"reason", reason},
        {"reason_code", rollup.reason_code},
        {"ready", rollup.ready},
        {"replicas", rollup.total},
        {"services", std::move(services)},
        {"placements", std::move(out)},
    };
}

}  // namespace

std::string etag_of(const App& app) {
    return "\"" + app.id.value.substr(0, 8) + "-" + std::to_string(app.version) + "\"";
}

json::array rejections_json(const ReplicaDecision& decision) {
    json::array out;
    for (const Rejection& rejection : decision.rejections) {
        out.push_back(json::object{
            {"node", rejection.node_name},
            {"rule", to_string(rejection.rule)},
            {"message", rejection.message},
            {"needed", rejection.needed},
            {"available", rejection.available},
            {"relaxation", rejection.relaxation},
        });
    }
    return out;
}

json::object explanation_json(
    const ReplicaDecision& decision, const Topology& topology, std::size_t considered
) {
    json::array candidates;
    for (const auto& [name, score] : decision.candidates) {
        candidates.push_back(json::object{{"node", name}, {"score", score}});
    }
    const Node* node = decision.node ? topology.find(*decision.node) : nullptr;
    return {
        {"component", decision.component},
        {"replica", decision.replica},
        {"placed", decision.node.has_value()},
        {"node", node == nullptr ? std::string() : node->name},
        {"score", decision.score},
        {"label_value", decision.label_value},
        {"reason", decision.reason},
        {"considered", considered},
        {"rejections", rejections_json(decision)},
        {"candidates", std::move(candidates)},
    };
}

json::object to_json(const Snapshot& snapshot, const App& app, const Placement& placement, Detail detail) {
    const ReplicaView view = view_in(snapshot, app, placement);
    const auto& observed = placement.observed;
    json::object out{
        {"id", placement.id.value},
        {"app", app.name},
        {"project", app.project},
        {"component", placement.component},
        {"replica", placement.replica},
        {"generation", observed ? observed->generation : 0},
        {"wanted_generation", placement.generation},
        {"node", placement.node_name},
        {"node_id", placement.node.value},
        {"cluster", placement.cluster},
        {"engine", engine_word(placement.engine)},
        {"orchestrator", placement.orchestrator},
        {"state", to_string(view.state)},
        {"reason", view.reason},
        {"reason_code", view.reason_code},
        {"progress", observed ? observed->progress : ""},
        {"since", to_rfc3339(placement.since)},
        {"restarts", restarts_of(placement)},
        {"address", address_of(placement, snapshot.topology.find(placement.node))},
    };
    if (!placement.label_value.empty()) out["label_value"] = placement.label_value;
    const auto waiting = app.waiting.find({placement.component, placement.replica});
    if (waiting != app.waiting.end() && !view.is_leaving && app.desired == Desired::running) {
        // An update that fits nowhere: the old content stays, and here is why.
        if (view.reason.empty())
            out["reason"] =
                (placement.generation == app.generation ? "stays on " + placement.node_name
                                                        : "generation " + std::to_string(app.generation)) +
                ": " + waiting->second.reason;
        out["rejections"] = rejections_json(waiting->second);
    }
    const Node* node = snapshot.topology.find(placement.node);
    if (node != nullptr && node->draining) out["drain"] = drain_text(app, placement);
    if (detail == Detail::with_services)
        out["services"] = observed ? services_json(*observed) : json::array();
    return out;
}

json::array components_json(const Snapshot& snapshot, const App& app, Detail detail) {
    const auto application = app.application();
    const auto placements = snapshot.state.of_app(app.id);
    const auto views = replicas_of(snapshot.state, app, snapshot.topology, snapshot.problems);
    json::array out;
    std::set<std::string> named;
    for (const auto& component : application->components) {
        named.insert(component.name);
        out.push_back(component_json(snapshot, app, component.name, &component, placements, views, detail));
    }
    // Components of an earlier generation that are on their way out.
    for (const Placement* placement : placements) {
        if (!named.insert(placement->component).second) continue;
        out.push_back(component_json(snapshot, app, placement->component, nullptr, placements, views, detail)
        );
    }
    return out;
}

json::object to_json(const Snapshot& snapshot, const App& app, Detail detail) {
    const auto views = replicas_of(snapshot.state, app, snapshot.topology, snapshot.problems);
    const Rollup rollup = roll_up(app.desired, views);
    return {
        {"id", app.id.value},
        {"name", app.name},
        {"project", app.project},
        {"namespace", app.name_space},
        {"description", app.description},
        {"generation", app.generation},
        {"version", app.version},
        {"engine", engine_of(app, snapshot.state.of_app(app.id))},
        {"desired", to_string(app.desired)},
        {"state", to_string(rollup.state)},
        {"reason", rollup.reason},
        {"reason_code", rollup.reason_code},
        {"ready", rollup.ready},
        {"total", rollup.total},
        {"created_at", to_rfc3339(app.created_at)},
        {"updated_at", to_rfc3339(app.updated_at)},
        {"since", to_rfc3339(app.since)},
        {"components", components_json(snapshot, app, detail)},
    };
}

}  // namespace icos::job_manager
