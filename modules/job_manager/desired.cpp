// SPDX-License-Identifier: Apache-2.0
#include "desired.hpp"

#include "icos/link/digest.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::job_manager {
namespace {

namespace json = boost::json;
using descriptor::Application;
using descriptor::Component;
using descriptor::Engine;
using descriptor::Manifest;

/// Members by name, at every depth.
json::value sorted(const json::value& value) {
    if (const auto* array = value.if_array()) {
        json::array out;
        for (const json::value& item : *array) out.push_back(sorted(item));
        return out;
    }
    const auto* object = value.if_object();
    if (object == nullptr) return value;
    std::vector<std::pair<std::string, const json::value*>> members;
    for (const auto& member : *object) members.emplace_back(std::string(member.key()), &member.value());
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    json::object out;
    for (const auto& [key, member] : members) out[key] = sorted(*member);
    return out;
}

std::string canonical(const std::string& compose) {
    boost::system::error_code failed;
    const json::value parsed = json::parse(compose, failed);
    return failed ? compose : json::serialize(sorted(parsed));
}

std::map<std::string, std::string> environment_of(const App& app, const Component& component) {
    return {{"ICOS_APP_COMPONENT", component.name}, {"ICOS_APP_INSTANCE", app.id.value}};
}

std::string pull_of(const Component& component) {
    return component.options.pull.value_or("missing");
}

std::vector<std::string> services_of(const Manifest& manifest) {
    std::vector<std::string> names;
    boost::system::error_code failed;
    const json::value parsed = json::parse(manifest.compose, failed);
    if (failed || !parsed.is_object()) return names;
    const json::value* services = parsed.get_object().if_contains("services");
    if (services == nullptr || !services->is_object()) return names;
    for (const auto& member : services->get_object()) names.emplace_back(member.key());
    return names;
}

std::set<std::string> neighbours(const Application& application, const std::string& name) {
    std::set<std::string> out;
    for (const auto& [consumer, provider] : application.edges) {
        const std::string& a = application.components[consumer].name;
        const std::string& b = application.components[provider].name;
        if (a == name) out.insert(b);
        if (b == name) out.insert(a);
    }
    return out;
}

std::uint64_t amount(const std::optional<descriptor::Quantity>& quantity) {
    return quantity ? quantity->value : 0;
}

}  // namespace

const Component* find_component(const Application& application, std::string_view name) {
    const auto found = std::find_if(
        application.components.begin(),
        application.components.end(),
        [name](const Component& c) { return c.name == name; }
    );
    return found == application.components.end() ? nullptr : &*found;
}

descriptor::OnNodeLoss loss_rule(const descriptor::Component& component) {
    using descriptor::OnNodeLoss;
    return component.options.on_node_loss.value_or(
        component.holds_data ? OnNodeLoss::keep : OnNodeLoss::replace
    );
}

bool holds_secrets(const Component& component, Engine engine) {
    return std::any_of(
        component.manifests.begin(),
        component.manifests.end(),
        [engine](const auto& manifest) {
            if (manifest.engine != engine) return false;
            // One that only speaks of a Secret is taken for one as well: a key does no harm.
            if (engine == Engine::kubernetes) return manifest.original.find("Secret") != std::string::npos;
            boost::system::error_code failed;
            const json::value parsed = json::parse(manifest.compose, failed);
            const json::object* document = failed ? nullptr : parsed.if_object();
            const json::value* secrets = document == nullptr ? nullptr : document->if_contains("secrets");
            return secrets != nullptr && secrets->is_object() && !secrets->get_object().empty();
        }
    );
}

std::string component_digest(
    const App& app, const Component& component, Engine engine, std::string_view key
) {
    std::map<std::string, std::string> manifests;
    for (const Manifest& manifest : component.manifests) {
        if (manifest.engine != engine) continue;
        manifests[manifest.name] = engine == Engine::docker ? canonical(manifest.compose) : manifest.original;
    }
    // A JSON array keeps the parts apart whatever they contain.
    json::array parts;
    for (const auto& [name, content] : manifests) parts.push_back(json::array{name, content});
    json::object environment;
    for (const auto& [variable, value] : environment_of(app, component)) environment[variable] = value;
    parts.emplace_back(std::move(environment));
    parts.emplace_back(pull_of(component));
    // Who restarts its containers is written into them.
    if (loss_rule(component) == descriptor::OnNodeLoss::exclusive) parts.emplace_back("exclusive");
    const std::string content = json::serialize(parts);
    return key.empty() ? link::sha256_hex(content) : link::hmac_sha256_hex(key, content);
}

std::map<std::string, std::vector<std::string>> service_aliases(
    const Application& application, const Component& component
) {
    std::map<std::string, std::size_t> owners;
    for (const Component& other : application.components) {
        std::set<std::string> names;
        for (const Manifest& manifest : other.manifests) {
            if (manifest.engine != Engine::docker) continue;
            for (std::string& name : services_of(manifest)) names.insert(std::move(name));
        }
        for (const std::string& name : names) ++owners[name];
    }
    std::map<std::string, std::vector<std::string>> aliases;
    for (const Manifest& manifest : component.manifests) {
        if (manifest.engine != Engine::docker) continue;
        const auto services = services_of(manifest);
        for (const std::string& service : services) {
            auto& names = aliases[service];
            if (owners[service] == 1) names.push_back(service);
            names.push_back(service + "." + component.name);
            if (services.size() == 1 && !owners.contains(manifest.name)) names.push_back(manifest.name);
        }
    }
    return aliases;
}

agent::DesiredPlacement desired_placement(const App& app, const Placement& placement) {
    agent::DesiredPlacement out;
    out.placement = placement.id;
    out.app_id = app.id;
    out.project = app.project;
    out.app = app.name;
    out.component = placement.component;
    out.replica = placement.replica;
    out.generation = placement.generation;
    out.digest = placement.digest;
    out.run = app.desired == Desired::running;
    const Application& application = *app.revisions.at(placement.generation);
    const Component* component = find_component(application, placement.component);
    if (component == nullptr) return out;
    for (const Manifest& manifest : component->manifests) {
        if (manifest.engine != placement.engine) continue;
        out.manifests.push_back({manifest.name, manifest.compose});
    }
    out.environment = environment_of(app, *component);
    out.aliases = service_aliases(application, *component);
    out.pull = pull_of(*component);
    out.update_order = component->options.update_order.value_or("");
    out.exclusive = loss_rule(*component) == descriptor::OnNodeLoss::exclusive;
    out.window = component->options.window.value_or("");
    // Two generations at once would be two copies.
    if (out.exclusive) out.update_order = "stop-first";
    if (component->options.health_timeout_ms) out.health_timeout_ms = *component->options.health_timeout_ms;
    return out;
}

bool same_demands(const Application& before, const Application& after, const std::string& name) {
    const Component* a = find_component(before, name);
    const Component* b = find_component(after, name);
    if (a == nullptr || b == nullptr) return false;
    const auto& x = a->requirements;
    const auto& y = b->requirements;
    const auto label = [](const descriptor::Requirements& r) {
        return r.node_label ? std::make_pair(r.node_label->key, r.node_label->values)
                            : std::make_pair(std::string(), std::vector<std::string>());
    };
    return a->type == b->type && x.architecture == y.architecture && amount(x.cpu) == amount(y.cpu) &&
           amount(x.memory) == amount(y.memory) && x.devices == y.devices && label(x) == label(y) &&
           a->host_ports == b->host_ports && neighbours(before, name) == neighbours(after, name);
}

}  // namespace icos::job_manager
