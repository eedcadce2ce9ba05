// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"
#include "nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

namespace icos::descriptor::header {
namespace {

constexpr std::array<std::string_view, 2> kDirections{"incoming", "outgoing"};

void read_direction(const Field& map, const Member& member, std::vector<EdgeDraft>& edges) {
    const std::string& word = member.key.text;
    const std::string path = child(map.path(), word);
    if (word != "incoming" && word != "outgoing") {
        std::string hint = did_you_mean(word, kDirections);
        if (hint.empty()) hint = "incoming (depends on) or outgoing (provides)";
        map.report().add(
            "E071",
            member.key.at,
            path,
            fmt::format("communication: unknown direction \"{}\"", word),
            {.hint = std::move(hint)}
        );
        return;
    }
    const Field services(member.value, path, word, map.report());
    const auto names = services.strings();
    if (!names) return;
    for (std::size_t i = 0; i < names->size(); ++i) {
        const bool list = member.value.is_sequence();
        edges.push_back({
            .edge = {word == "incoming" ? Edge::Direction::incoming : Edge::Direction::outgoing, (*names)[i]},
            .at = list ? member.value.items[i].at : member.value.at,
            .path = list ? child(path, i) : path,
        });
    }
}

/// Who provides what: manifests by name (and the base of a `-docker`/`-kubernetes` pair), Service objects and
/// compose services by theirs.
struct Owner {
    std::size_t component = 0;
    const ManifestDraft* manifest = nullptr;
    bool by_service = false;  ///< the name is a service inside the manifest
};

class Owners {
public:
    explicit Owners(const Draft& draft) {
        for (const ManifestDraft& manifest : draft.manifests) {
            if (manifest.users.empty()) continue;
            const std::size_t component = manifest.users.front();
            add(manifest.manifest.name, {component, &manifest, false}, 0);
            for (const NamedPlace& service : manifest.facts.services)
                add(service.name, {component, &manifest, true}, 1);
            for (const std::string_view suffix : {"-docker", "-kubernetes"}) {
                std::string_view name = manifest.manifest.name;
                if (!name.ends_with(suffix)) continue;
                name.remove_suffix(suffix.size());
                add(std::string(name), {component, &manifest, false}, 2);
            }
        }
    }
    const Owner* find(const std::string& name) const {
        const auto found = owners_.find(name);
        return found == owners_.end() ? nullptr : &found->second.owner;
    }
    std::vector<std::string_view> names() const {
        std::vector<std::string_view> names;
        for (const auto& [name, ranked] : owners_) names.emplace_back(name);
        return names;
    }

private:
    struct Ranked {
        Owner owner;
        int rank = 0;
    };
    void add(const std::string& name, Owner owner, int rank) {
        const auto [found, is_new] = owners_.try_emplace(name, Ranked{owner, rank});
        if (!is_new && rank < found->second.rank) found->second = {owner, rank};
    }
    std::map<std::string, Ranked> owners_;
};

std::string_view word(Edge::Direction direction) {
    return direction == Edge::Direction::incoming ? "incoming" : "outgoing";
}

/// W074: the name must stand for something that answers on the network.
void check_service(const Owner& owner, const EdgeDraft& edge, Report& report) {
    const ManifestDraft& manifest = *owner.manifest;
    if (manifest.manifest.engine != Engine::kubernetes || manifest.kind == "Service" || manifest.kind.empty())
        return;
    report.add(
        "W074",
        edge.at,
        edge.path,
        fmt::format(
            "{}: manifest \"{}\" is a {}, not a Service",
            word(edge.edge.direction),
            manifest.manifest.name,
            manifest.kind
        ),
        {.hint = {}, .related = {{manifest.at.line, "the manifest"}}}
    );
}

}  // namespace

std::vector<EdgeDraft> read_communication(const Field& field) {
    std::vector<EdgeDraft> edges;
    if (field.node().is_map()) {
        for (const Member& member : field.node().members) read_direction(field, member, edges);
        return edges;
    }
    if (!field.expect_list()) return edges;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field entry(field.node().items[i], child(field.path(), i), "communication", field.report());
        if (!entry.node().is_map() || entry.node().members.size() != 1) {
            const bool glued = entry.node().is_scalar() && (entry.node().text.starts_with("incoming:") ||
                                                            entry.node().text.starts_with("outgoing:"));
            entry.fail(
                "E070",
                "an entry is a map with exactly one of incoming and outgoing",
                {.hint = glued ? "a space is missing after ':'" : "write - incoming: SERVICE"}
            );
            continue;
        }
        read_direction(entry, entry.node().members.front(), edges);
    }
    return edges;
}

void resolve_communication(Draft& draft, Report& report) {
    if (!draft.manifests_usable) return;
    const Owners owners(draft);
    const std::vector<std::string_view> names = owners.names();
    std::set<std::pair<std::size_t, std::string>> provided;  // what a component says it provides, as written
    for (std::size_t i = 0; i < draft.components.size(); ++i) {
        std::set<std::pair<Edge::Direction, std::string>> seen;
        for (const EdgeDraft& draft_edge : draft.components[i].edges) {
            Edge edge = draft_edge.edge;
            const Owner* owner = owners.find(edge.service);
            if (!seen.emplace(edge.direction, edge.service).second) {
                report.add(
                    "W075",
                    draft_edge.at,
                    draft_edge.path,
                    fmt::format("{}: \"{}\" is listed twice", word(edge.direction), edge.service)
                );
                continue;
            }
            if (owner == nullptr) {
                report.add(
                    "E072",
                    draft_edge.at,
                    draft_edge.path,
                    fmt::format(
                        "{}: no manifest or service of the application is named \"{}\"",
                        word(edge.direction),
                        edge.service
                    ),
                    {.hint = did_you_mean(edge.service, names)}
                );
                continue;
            }
            check_service(*owner, draft_edge, report);
            const Edge::Direction owned =
                owner->component == i ? Edge::Direction::outgoing : Edge::Direction::incoming;
            if (edge.direction != owned) {
                const std::string& name = draft.components[owner->component].component.name;
                report.add(
                    "W073",
                    draft_edge.at,
                    draft_edge.path,
                    fmt::format(
                        "{}: \"{}\" belongs to component \"{}\"; read as {}",
                        word(edge.direction),
                        edge.service,
                        name,
                        word(owned)
                    ),
                    {.hint = "outgoing = provides, incoming = depends on",
                     .related = {{owner->manifest->at.line, "the manifest"}}}
                );
                edge.direction = owned;
            }
            if (owned == Edge::Direction::outgoing) provided.emplace(i, edge.service);
            draft.components[i].component.communication.push_back(std::move(edge));
        }
    }
    auto& edges = draft.application.edges;
    for (std::size_t i = 0; i < draft.components.size(); ++i) {
        for (const EdgeDraft& edge : draft.components[i].edges) {
            const Owner* owner = owners.find(edge.edge.service);
            if (owner == nullptr || owner->component == i) continue;
            const std::pair<std::size_t, std::size_t> pair{i, owner->component};
            if (std::find(edges.begin(), edges.end(), pair) == edges.end()) edges.push_back(pair);
            if (edge.edge.direction == Edge::Direction::incoming &&
                !provided.contains({owner->component, edge.edge.service})) {
                report.add(
                    "W076",
                    edge.at,
                    edge.path,
                    fmt::format(
                        "incoming: component \"{}\" does not declare \"{}\" as outgoing",
                        draft.components[owner->component].component.name,
                        edge.edge.service
                    ),
                    {.hint = fmt::format("add outgoing: {} there", edge.edge.service)}
                );
            }
        }
    }
}

}  // namespace icos::descriptor::header
