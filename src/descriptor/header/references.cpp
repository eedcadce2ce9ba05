// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"
#include "nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

namespace icos::descriptor::header {
namespace {

using Index = std::unordered_map<std::string, std::vector<std::size_t>>;

Index index_manifests(Draft& draft, Report& report) {
    Index index;
    for (std::size_t i = 0; i < draft.manifests.size(); ++i) {
        const ManifestDraft& manifest = draft.manifests[i];
        if (manifest.manifest.name.empty()) continue;
        auto& same = index[manifest.manifest.name];
        // Objects known by metadata.name may share it as long as their kinds differ: one reference takes them
        // all.
        const auto clash = std::find_if(same.begin(), same.end(), [&](std::size_t other) {
            const ManifestDraft& first = draft.manifests[other];
            return !(manifest.legacy && first.legacy && manifest.kind != first.kind);
        });
        if (clash != same.end()) {
            report.add(
                "E032",
                manifest.at,
                child(manifest.path, "name"),
                fmt::format("name: manifest \"{}\" is defined twice", manifest.manifest.name),
                {.hint = {}, .related = {{draft.manifests[*clash].at.line, "first defined here"}}}
            );
            continue;
        }
        same.push_back(i);
    }
    return index;
}

void resolve(
    std::size_t number,
    Draft& draft,
    const Index& index,
    std::span<const std::string_view> names,
    Report& report
) {
    ComponentDraft& component = draft.components[number];
    component.all_resolved = !component.references.empty();
    for (const NamedPlace& reference : component.references) {
        const auto found = index.find(reference.name);
        if (found == index.end()) {
            component.all_resolved = false;
            Report::Extra extra;
            if (const std::string_view near = nearest(reference.name, names); !near.empty()) {
                const std::size_t line = draft.manifests[index.at(std::string(near)).front()].at.line;
                extra.hint = fmt::format("did you mean \"{}\" (line {})?", near, line);
                extra.related.push_back({line, fmt::format("manifest \"{}\"", near)});
            }
            report.add(
                "E031",
                reference.at,
                reference.path,
                fmt::format("manifests: no manifest is named \"{}\"", reference.name),
                std::move(extra)
            );
            continue;
        }
        for (const std::size_t i : found->second) {
            ManifestDraft& manifest = draft.manifests[i];
            if (!manifest.users.empty()) {
                report.add(
                    "E033",
                    reference.at,
                    reference.path,
                    fmt::format(
                        "manifests: \"{}\" is already used by component \"{}\"",
                        reference.name,
                        draft.components[manifest.users.front()].component.name
                    ),
                    {.hint = {}, .related = {{manifest.first_use_line, "first used here"}}}
                );
                continue;
            }
            manifest.users.push_back(number);
            manifest.first_use_line = reference.at.line;
            component.manifests.push_back(i);
        }
    }
}

void check_types(const Draft& draft, Report& report) {
    const auto single = [](const ComponentDraft& c) {
        return c.has_type && c.component.type != ComponentType::multiple;
    };
    const auto first = std::find_if(draft.components.begin(), draft.components.end(), single);
    if (first == draft.components.end()) return;
    for (auto it = first; it != draft.components.end(); ++it) {
        if (!single(*it) || it->component.type == first->component.type) continue;
        report.add(
            "E027",
            it->type_at,
            it->type_path,
            fmt::format(
                "type: {} here, {} in component \"{}\"",
                to_string(it->component.type),
                to_string(first->component.type),
                first->component.name
            ),
            {.hint = "an application runs on one engine",
             .related = {{first->type_at.line, fmt::format("component \"{}\"", first->component.name)}}}
        );
    }
}

void check_multiple(const ComponentDraft& component, const Draft& draft, Report& report) {
    std::size_t counts[2] = {0, 0};
    for (const std::size_t i : component.manifests) {
        if (!draft.manifests[i].has_engine) return;
        ++counts[draft.manifests[i].manifest.engine == Engine::docker ? 0 : 1];
    }
    for (std::size_t engine = 0; engine < 2; ++engine) {
        const std::string_view name = engine == 0 ? "docker" : "kubernetes";
        if (counts[engine] == 0) {
            report.add(
                "E028",
                component.type_at,
                component.type_path,
                fmt::format("type: multiple needs a {} manifest", name),
                {.hint = fmt::format("add one, named NAME-{}", name)}
            );
        } else if (counts[engine] > 1) {
            report.add(
                "I030",
                component.references.front().at,
                component.references.front().path,
                fmt::format("manifests: {} manifests for {}", counts[engine], name)
            );
        }
    }
}

void add_port(std::vector<ServicePort>& ports, const ServicePort& port) {
    const auto same = std::find_if(ports.begin(), ports.end(), [&](const ServicePort& known) {
        return known.service == port.service && known.port == port.port;
    });
    if (same == ports.end())
        ports.push_back(port);
    else
        same->is_published = same->is_published || port.is_published;
}

void check_engines(const ComponentDraft& component, const Draft& draft, Report& report) {
    if (!component.has_type) return;
    if (component.component.type == ComponentType::multiple) {
        if (component.all_resolved) check_multiple(component, draft, report);
        return;
    }
    const Engine wanted =
        component.component.type == ComponentType::docker ? Engine::docker : Engine::kubernetes;
    for (const NamedPlace& reference : component.references) {
        for (const std::size_t i : component.manifests) {
            const ManifestDraft& manifest = draft.manifests[i];
            if (manifest.manifest.name != reference.name || !manifest.has_engine ||
                manifest.manifest.engine == wanted)
                continue;
            report.add(
                "E036",
                reference.at,
                reference.path,
                fmt::format(
                    "manifests: \"{}\" is for {}, the component is {}",
                    reference.name,
                    to_string(manifest.manifest.engine),
                    to_string(wanted)
                ),
                {.hint = {}, .related = {{manifest.at.line, "the manifest"}}}
            );
        }
    }
}

void gather(ComponentDraft& draft, Draft& all, Report& report) {
    Component& component = draft.component;
    std::vector<std::size_t> sorted = draft.manifests;
    std::sort(sorted.begin(), sorted.end());
    std::unordered_map<std::string, std::size_t> compose_services;
    for (const std::size_t i : sorted) {
        const ManifestFacts& facts = all.manifests[i].facts;
        for (const NamedPlace& service : facts.services) {
            if (all.manifests[i].manifest.engine == Engine::docker) {
                const auto [first, is_new] = compose_services.emplace(service.name, service.at.line);
                if (!is_new) {
                    report.add(
                        "C009",
                        service.at,
                        service.path,
                        fmt::format(
                            "{}: another manifest of component \"{}\" has a service of this name",
                            service.name,
                            component.name
                        ),
                        {.hint = "rename one of them", .related = {{first->second, "the other"}}}
                    );
                }
            }
            if (std::find(component.services.begin(), component.services.end(), service.name) ==
                component.services.end()) {
                component.services.push_back(service.name);
            }
        }
        for (const std::string& image : facts.images) {
            if (std::find(component.images.begin(), component.images.end(), image) == component.images.end())
                component.images.push_back(image);
        }
        for (const PortClaim& claim : facts.ports) component.host_ports.push_back(claim.port);
        for (const ServicePort& port : facts.service_ports) add_port(component.service_ports, port);
        component.holds_data = component.holds_data || facts.holds_data;
    }
    std::sort(component.service_ports.begin(), component.service_ports.end());
    for (const std::size_t i : draft.manifests) component.manifests.push_back(all.manifests[i].manifest);
}

/// What the manifests of one engine reserve together. Only one engine's manifests run.
struct Reserved {
    std::uint64_t cpu = 0;
    std::uint64_t memory = 0;
    std::uint64_t memory_as_header = 0;
};

Reserved reserved_by(const ComponentDraft& component, const Draft& draft, Engine engine) {
    Reserved sum;
    for (const std::size_t i : component.manifests) {
        if (draft.manifests[i].manifest.engine != engine) continue;
        const ManifestFacts& facts = draft.manifests[i].facts;
        sum.cpu = saturating_add(sum.cpu, facts.cpu_milli);
        sum.memory = saturating_add(sum.memory, facts.memory);
        sum.memory_as_header = saturating_add(sum.memory_as_header, facts.memory_as_header);
    }
    return sum;
}

std::string memory_text(std::uint64_t bytes) {
    constexpr std::uint64_t kGibi = 1ULL << 30U;
    constexpr std::uint64_t kMebi = 1ULL << 20U;
    if (bytes % kGibi == 0) return fmt::format("{}Gi", bytes / kGibi);
    if (bytes % kMebi == 0) return fmt::format("{}Mi", bytes / kMebi);
    if (bytes % 1'000'000 == 0) return fmt::format("{}M", bytes / 1'000'000);
    return fmt::format("{}", bytes);
}

std::string cpu_text(std::uint64_t milli) {
    return milli % 1000 == 0 ? fmt::format("{}", milli / 1000) : fmt::format("{}m", milli);
}

}  // namespace

void resolve_references(Draft& draft, Report& report) {
    check_types(draft, report);
    if (!draft.manifests_usable) return;
    const Index index = index_manifests(draft, report);
    std::vector<std::string_view> names;
    for (const ManifestDraft& manifest : draft.manifests) {
        if (index.contains(manifest.manifest.name)) names.emplace_back(manifest.manifest.name);
    }
    for (std::size_t i = 0; i < draft.components.size(); ++i) resolve(i, draft, index, names, report);
    for (ComponentDraft& component : draft.components) {
        check_engines(component, draft, report);
        gather(component, draft, report);
    }
    for (const ManifestDraft& manifest : draft.manifests) {
        if (!manifest.users.empty() || manifest.manifest.name.empty()) continue;
        report.add(
            "W034",
            manifest.at,
            child(manifest.path, "name"),
            fmt::format("name: no component uses manifest \"{}\"", manifest.manifest.name),
            {.hint = "name it under `manifests` of a component, or remove it"}
        );
    }
}

void derive_requirements(Draft& draft, Report& report) {
    for (ComponentDraft& component : draft.components) {
        Requirements& requirements = component.component.requirements;
        const Reserved docker = reserved_by(component, draft, Engine::docker);
        const Reserved kubernetes = reserved_by(component, draft, Engine::kubernetes);
        const std::uint64_t cpu = std::max(docker.cpu, kubernetes.cpu);
        const std::uint64_t memory = std::max(docker.memory, kubernetes.memory);
        const std::uint64_t memory_at_least = std::max(docker.memory_as_header, kubernetes.memory_as_header);
        std::vector<Related> related;
        for (const std::size_t i : component.manifests) {
            for (const std::size_t line : draft.manifests[i].facts.reservation_lines)
                related.push_back({line, "reserved here"});
        }
        const auto too_little =
            [&](Position at, std::string_view key, const std::string& given, const std::string& sum) {
                report.add(
                    "W049",
                    at,
                    fmt::format("{}.requirements.{}", component.path, key),
                    fmt::format("{}: {} is less than the {} that the manifests reserve", key, given, sum),
                    {.hint = fmt::format("write {}", sum), .related = related}
                );
            };
        if (requirements.cpu && requirements.cpu->value < cpu)
            too_little(component.cpu_at, "cpu", requirements.cpu->text, cpu_text(cpu));
        if (requirements.memory && requirements.memory->value < memory_at_least) {
            too_little(
                component.memory_at, "memory", requirements.memory->text, memory_text(memory_at_least)
            );
        }
        if (!requirements.cpu && cpu > 0) {
            requirements.cpu = Quantity{cpu, cpu_text(cpu)};
            requirements.derived = true;
        }
        if (!requirements.memory && memory > 0) {
            requirements.memory = Quantity{memory, memory_text(memory)};
            requirements.derived = true;
        }
    }
}

void check_host_ports(const Draft& draft, Report& report) {
    const auto any_address = [](const std::string& ip) {
        return ip.empty() || ip == "0.0.0.0" || ip == "::";
    };
    struct Claim {
        const PortClaim* claim;
        const std::string* component;
    };
    std::map<std::pair<std::string, std::uint16_t>, std::vector<Claim>> claims;
    for (const ComponentDraft& component : draft.components) {
        for (const std::size_t i : component.manifests) {
            if (draft.manifests[i].manifest.engine != Engine::docker) continue;
            for (const PortClaim& claim : draft.manifests[i].facts.ports) {
                auto& same = claims[{claim.port.protocol, claim.port.port}];
                const auto clash = std::find_if(same.begin(), same.end(), [&](const Claim& other) {
                    return any_address(claim.port.host_ip) || any_address(other.claim->port.host_ip) ||
                           claim.port.host_ip == other.claim->port.host_ip;
                });
                if (clash != same.end()) {
                    report.add(
                        "C007",
                        claim.at,
                        claim.path,
                        fmt::format(
                            "ports: host port {}/{} is already claimed by service \"{}\" of component \"{}\"",
                            claim.port.port,
                            claim.port.protocol,
                            clash->claim->owner,
                            *clash->component
                        ),
                        {.hint = "publish another port",
                         .related = {{clash->claim->at.line, "first claimed here"}}}
                    );
                }
                same.push_back({&claim, &component.component.name});
            }
        }
    }
}

}  // namespace icos::descriptor::header
