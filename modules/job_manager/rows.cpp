// SPDX-License-Identifier: Apache-2.0
#include "rows.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <exception>

namespace icos::job_manager {
namespace {

namespace json = boost::json;

Error corrupt(const Row& row, std::string_view what) {
    return Error{
        store_errc::corrupt,
        "the stored " + row.kind + " " + row.id + " cannot be read: " + std::string(what),
        "restore the data directory from a backup"
    };
}

std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? std::string() : std::string(value->as_string());
}

template <class Integer>
Integer number_of(const json::object& object, std::string_view key, Integer fallback = 0) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? fallback : value->to_number<Integer>();
}

WallTime time_of(const json::object& object, std::string_view key) {
    return from_ms(number_of<std::int64_t>(object, key));
}

json::object to_json(const Claim& claim) {
    json::array ports;
    for (const auto& port : claim.host_ports) {
        ports.push_back(
            json::object{{"host_ip", port.host_ip}, {"port", port.port}, {"protocol", port.protocol}}
        );
    }
    json::array devices;
    for (const std::string& name : claim.devices) devices.emplace_back(name);
    return {
        {"cpu_milli", claim.cpu_milli},
        {"memory_bytes", claim.memory_bytes},
        {"devices", std::move(devices)},
        {"host_ports", std::move(ports)}
    };
}

Claim claim_of(const json::object& object) {
    Claim claim;
    claim.cpu_milli = number_of<std::uint32_t>(object, "cpu_milli");
    claim.memory_bytes = number_of<std::uint64_t>(object, "memory_bytes");
    for (const json::value& name : object.at("devices").as_array())
        claim.devices.emplace_back(name.as_string());
    for (const json::value& value : object.at("host_ports").as_array()) {
        const json::object& port = value.as_object();
        claim.host_ports.push_back(
            {text_of(port, "host_ip"), number_of<std::uint16_t>(port, "port"), text_of(port, "protocol")}
        );
    }
    return claim;
}

Desired desired_of(const json::object& object) {
    const std::string word = text_of(object, "desired");
    for (const Desired desired : {Desired::running, Desired::stopped, Desired::deleted}) {
        if (to_string(desired) == word) return desired;
    }
    throw std::runtime_error("desired: \"" + word + "\" is none of running, stopped, deleted");
}

AppState state_of(const json::object& object) {
    static constexpr std::array all{
        AppState::pending,
        AppState::deploying,
        AppState::running,
        AppState::degraded,
        AppState::failed,
        AppState::stopping,
        AppState::stopped,
        AppState::deleting
    };
    const std::string word = text_of(object, "state");
    for (const AppState state : all) {
        if (to_string(state) == word) return state;
    }
    throw std::runtime_error("state: \"" + word + "\" is unknown");
}

void read_overlays(const json::object& object, App& app) {
    const json::value* overlays = object.if_contains("overlays");
    if (overlays == nullptr) return;
    for (const auto& [component, value] : overlays->as_object()) {
        Overlay overlay;
        const json::object& members = value.as_object();
        if (members.contains("replicas")) overlay.replicas = number_of<std::uint32_t>(members, "replicas");
        overlay.resource_factor = number_of<double>(members, "resource_factor", 1.0);
        if (const json::value* nodes = members.if_contains("excluded_nodes")) {
            for (const json::value& node : nodes->as_array())
                overlay.excluded_nodes.emplace_back(node.as_string());
        }
        app.overlays.emplace(component, std::move(overlay));
    }
}

std::optional<agent::ObservedPlacement> observed_of(const json::object& object) {
    const json::value* text = object.if_contains("observed");
    if (text == nullptr) return std::nullopt;
    auto decoded = agent::decode<agent::Observed>(std::string_view(text->as_string()));
    if (decoded.has_error()) throw std::runtime_error("observed: " + decoded.error().detail);
    if (decoded->upsert.size() != 1) throw std::runtime_error("observed: not one placement");
    return std::move(decoded->upsert.front());
}

}  // namespace

Change to_row(const App& app) {
    json::object overlays;
    for (const auto& [component, overlay] : app.overlays) {
        json::object members{{"resource_factor", overlay.resource_factor}};
        if (overlay.replicas) members["replicas"] = *overlay.replicas;
        json::array nodes;
        for (const std::string& node : overlay.excluded_nodes) nodes.emplace_back(node);
        members["excluded_nodes"] = std::move(nodes);
        overlays[component] = std::move(members);
    }
    const json::object body{
        {"project", app.project},
        {"name", app.name},
        {"namespace", app.name_space},
        {"description", app.description},
        {"generation", app.generation},
        {"version", app.version},
        {"desired", to_string(app.desired)},
        {"created_ms", to_ms(app.created_at)},
        {"updated_ms", to_ms(app.updated_at)},
        {"overlays", std::move(overlays)},
        {"state", to_string(app.state)},
        {"since_ms", to_ms(app.since)},
        {"replicas", app.replicas},
    };
    return {kAppKind, app.id.value, json::serialize(body)};
}

Change to_row(const Placement& placement) {
    json::object body{
        {"app", placement.app.value},
        {"component", placement.component},
        {"replica", placement.replica},
        {"node", placement.node.value},
        {"node_name", placement.node_name},
        {"cluster", placement.cluster},
        {"engine", placement.engine == descriptor::Engine::kubernetes ? "kubernetes" : "docker"},
        {"orchestrator", placement.orchestrator},
        {"label_value", placement.label_value},
        {"generation", placement.generation},
        {"digest", placement.digest},
        {"claim", to_json(placement.claim)},
        {"phase",
         placement.removing   ? "removing"
         : placement.retiring ? "retiring"
                              : "desired"},
        {"wanted_ms", to_ms(placement.wanted_at)},
        {"since_ms", to_ms(placement.since)},
    };
    if (placement.observed) {
        agent::Observed observed;
        observed.upsert.push_back(*placement.observed);
        observed.upsert.front().progress.clear();
        body["observed"] = agent::encode(observed);
    }
    return {kPlacementKind, placement.id.value, json::serialize(body)};
}

Change revision_row(
    const AppId& app, std::uint64_t generation, const std::string& text, const RevisionInfo& info
) {
    json::object body{{"text", text}, {"actor", info.actor}};
    if (info.at) body["at_ms"] = to_ms(*info.at);
    if (info.components) body["components"] = *info.components;
    return {kRevisionKind, app.value + "/" + std::to_string(generation), json::serialize(body)};
}

Change revision_removal(const AppId& app, std::uint64_t generation) {
    return {kRevisionKind, app.value + "/" + std::to_string(generation), std::nullopt};
}

Change digest_key_row(const std::string& key) {
    return {kDigestKeyKind, "job_manager", json::serialize(json::object{{"key", key}})};
}

Result<std::string> read_digest_key(const Row& row) {
    try {
        return text_of(json::parse(row.body).as_object(), "key");
    } catch (const std::exception&) {
        // The exception's words may quote what the row holds.
        return corrupt(row, "it is not an object with a key");
    }
}

Result<App> read_app(const Row& row) {
    try {
        const json::value parsed = json::parse(row.body);
        const json::object& object = parsed.as_object();
        App app;
        app.id = AppId{row.id};
        app.project = text_of(object, "project");
        app.name = text_of(object, "name");
        app.name_space = text_of(object, "namespace");
        app.description = text_of(object, "description");
        app.generation = number_of<std::uint64_t>(object, "generation");
        app.version = number_of<std::uint64_t>(object, "version", 1);
        app.desired = desired_of(object);
        app.created_at = time_of(object, "created_ms");
        app.updated_at = time_of(object, "updated_ms");
        app.state = state_of(object);
        app.since = time_of(object, "since_ms");
        app.replicas = number_of<std::uint32_t>(object, "replicas");
        read_overlays(object, app);
        return app;
    } catch (const std::exception& e) {
        return corrupt(row, e.what());
    }
}

Result<Placement> read_placement(const Row& row) {
    try {
        const json::value parsed = json::parse(row.body);
        const json::object& object = parsed.as_object();
        Placement placement;
        placement.id = PlacementId{row.id};
        placement.app = AppId{text_of(object, "app")};
        placement.component = text_of(object, "component");
        placement.replica = number_of<std::uint32_t>(object, "replica");
        placement.node = NodeId{text_of(object, "node")};
        placement.node_name = text_of(object, "node_name");
        placement.cluster = text_of(object, "cluster");
        const bool is_kubernetes = text_of(object, "engine") == "kubernetes";
        placement.engine = is_kubernetes ? descriptor::Engine::kubernetes : descriptor::Engine::docker;
        placement.orchestrator = text_of(object, "orchestrator");
        placement.label_value = text_of(object, "label_value");
        placement.generation = number_of<std::uint64_t>(object, "generation");
        placement.digest = text_of(object, "digest");
        placement.claim = claim_of(object.at("claim").as_object());
        placement.removing = text_of(object, "phase") == "removing";
        placement.retiring = text_of(object, "phase") == "retiring";
        placement.wanted_at = time_of(object, "wanted_ms");
        placement.since = time_of(object, "since_ms");
        placement.observed = observed_of(object);
        return placement;
    } catch (const std::exception& e) {
        return corrupt(row, e.what());
    }
}

Result<StoredRevision> read_revision(const Row& row) {
    try {
        const std::size_t slash = row.id.find('/');
        if (slash == std::string::npos) return corrupt(row, "its id has no generation");
        StoredRevision revision;
        revision.app = AppId{row.id.substr(0, slash)};
        revision.generation = std::stoull(row.id.substr(slash + 1));
        const json::value parsed = json::parse(row.body);
        const json::object& object = parsed.as_object();
        revision.text = text_of(object, "text");
        revision.info.actor = text_of(object, "actor");
        if (object.contains("at_ms")) revision.info.at = time_of(object, "at_ms");
        if (object.contains("components"))
            revision.info.components = number_of<std::uint32_t>(object, "components");
        return revision;
    } catch (const std::exception& e) {
        return corrupt(row, e.what());
    }
}

}  // namespace icos::job_manager
