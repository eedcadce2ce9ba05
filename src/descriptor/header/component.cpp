// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"

#include <fmt/format.h>

#include <array>
#include <unordered_map>

namespace icos::descriptor::header {
namespace {

constexpr std::array<std::string_view, 7> kKeys{
    "name", "type", "manifests", "requirements", "policies", "communication", "x-icos"
};
constexpr std::array<std::string_view, 3> kTypes{"kubernetes", "docker", "multiple"};
constexpr std::array<std::string_view, 1> kReferenceKeys{"name"};

/// Where a key that is absent or null is reported.
Position place_of(const Field& map, std::string_view key) {
    const Member* member = map.node().member(key);
    return member == nullptr ? map.node().first_key() : member->key.at;
}

void missing(
    const Field& map,
    std::string_view code,
    std::string_view key,
    std::string_view message,
    std::string hint = {}
) {
    map.report().add(
        code,
        place_of(map, key),
        child(map.path(), key),
        fmt::format("{}: {}", key, message),
        {.hint = std::move(hint)}
    );
}

void read_type(const Field& map, ComponentDraft& draft) {
    const auto field = map.at("type");
    if (!field) {
        missing(map, "E023", "type", "the component has no type", "one of " + enumerate(kTypes));
        return;
    }
    draft.type_at = field->node().at;
    draft.type_path = field->path();
    if (field->node().is_scalar() && field->node().text == "manifest") {
        field->fail("W024", "\"manifest\" is the legacy word for kubernetes", {.hint = "write kubernetes"});
        draft.component.type = ComponentType::kubernetes;
        draft.has_type = true;
        return;
    }
    const auto type = field->one_of(kTypes, "E024");
    if (!type) return;
    draft.component.type = *type == "docker"     ? ComponentType::docker
                           : *type == "multiple" ? ComponentType::multiple
                                                 : ComponentType::kubernetes;
    draft.has_type = true;
}

void read_references(const Field& map, ComponentDraft& draft) {
    const auto field = map.at("manifests");
    if (!field || (field->node().is_sequence() && field->node().items.empty())) {
        missing(map, "E025", "manifests", "the component names no manifest", "add - name: MANIFEST");
        return;
    }
    if (!field->expect_list()) return;
    for (std::size_t i = 0; i < field->node().items.size(); ++i) {
        const Field entry(field->node().items[i], child(field->path(), i), "manifests", map.report());
        if (!entry.expect_map()) continue;
        entry.known_keys(kReferenceKeys);
        const auto name = entry.at("name");
        if (!name) {
            missing(entry, "E031", "name", "the entry names no manifest");
            continue;
        }
        if (auto text = name->string())
            draft.references.push_back({std::move(*text), name->node().at, name->path()});
    }
}

void read_component(const Field& map, ComponentDraft& draft) {
    draft.at = map.node().first_key();
    draft.component.line = draft.at.line;
    map.known_keys(kKeys);
    if (const auto name = map.at("name")) {
        draft.at = name->node().at;
        if (auto text = name->string()) {
            check_name(*name, *text, "E012");
            draft.component.name = std::move(*text);
        }
    } else {
        missing(map, "E021", "name", "the component has no name");
    }
    read_type(map, draft);
    read_references(map, draft);
    if (const auto field = map.at("requirements"); field && field->expect_map())
        read_requirements(*field, draft);
    if (const auto field = map.at("communication")) draft.edges = read_communication(*field);
    if (const auto field = map.at("x-icos")) draft.component.options = read_x_icos(*field);
}

template <class T>
void inherit(std::optional<T>& value, const std::optional<T>& from) {
    if (!value) value = from;
}

void inherit(XIcos& options, const XIcos& from) {
    inherit(options.replicas, from.replicas);
    inherit(options.spread_by, from.spread_by);
    inherit(options.spread_max, from.spread_max);
    inherit(options.anti_affinity, from.anti_affinity);
    inherit(options.on_node_loss, from.on_node_loss);
    inherit(options.update_order, from.update_order);
    inherit(options.health_timeout_ms, from.health_timeout_ms);
    inherit(options.max_staleness_ms, from.max_staleness_ms);
    inherit(options.pull, from.pull);
    inherit(options.window, from.window);
    if (options.registry_credentials.empty()) options.registry_credentials = from.registry_credentials;
}

}  // namespace

void read_components(const Field& components, Draft& draft) {
    std::unordered_map<std::string, std::size_t> lines;
    for (std::size_t i = 0; i < components.node().items.size(); ++i) {
        const Field map(
            components.node().items[i], child(components.path(), i), "component", components.report()
        );
        if (!map.expect_map("E020")) continue;
        ComponentDraft component;
        component.path = map.path();
        read_component(map, component);
        inherit(component.component.options, draft.options);
        const auto [first, is_new] = lines.emplace(component.component.name, component.at.line);
        if (!is_new && !component.component.name.empty()) {
            components.report().add(
                "E022",
                component.at,
                child(map.path(), "name"),
                fmt::format("name: \"{}\" is used twice", component.component.name),
                {.hint = {}, .related = {{first->second, "first used here"}}}
            );
        }
        draft.components.push_back(std::move(component));
    }
    // Policies come last: `apply-to` may name any component.
    std::size_t next = 0;
    for (std::size_t i = 0; i < components.node().items.size(); ++i) {
        const Field map(
            components.node().items[i], child(components.path(), i), "component", components.report()
        );
        if (!map.node().is_map()) continue;
        Component& component = draft.components[next++].component;
        if (const auto policies = map.at("policies"))
            component.policies = read_policies(*policies, Scope::component, draft);
    }
}

}  // namespace icos::descriptor::header
