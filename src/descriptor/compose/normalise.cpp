// SPDX-License-Identifier: Apache-2.0
#include "compose/normalise.hpp"

#include "compose/interpolate.hpp"
#include "compose/service.hpp"
#include "quantity.hpp"
#include "yaml/merge.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace icos::descriptor::compose {
namespace {

using boost::json::object;

constexpr std::array<std::string_view, 6> kKeys{
    "version", "services", "networks", "volumes", "configs", "secrets"
};

constexpr std::size_t kLongestName = 63;

bool is_service_name(std::string_view name) {
    return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    });
}

std::vector<Service> read_services(const Field& field) {
    std::vector<Service> services;
    if (!field.expect_map("C002")) return services;
    if (field.node().members.empty()) field.fail("E038", "no service is defined");
    for (const Member& member : field.node().members) {
        if (member.key.text.starts_with("x-")) continue;
        const std::string path = child(field.path(), member.key.text);
        if (!is_service_name(member.key.text)) {
            field.report().add(
                "C002",
                member.key.at,
                path,
                fmt::format(
                    "services: \"{}\" is not a service's name (letters, digits, '.', '_', '-', at most 63)",
                    member.key.text
                )
            );
        }
        // A name that is too long is refused, and must not be repeated by each of the service's ports.
        const std::string name = clipped(member.key.text, kLongestName);
        Service service = read_service(Field(member.value, path, name, field.report()), name);
        if (service.replicas > 1 && !service.ports.empty()) {
            const PortClaim& claim = service.ports.front();
            field.report().add(
                "C007",
                claim.at,
                claim.path,
                fmt::format(
                    "ports: {} replicas of \"{}\" cannot share host port {}",
                    service.replicas,
                    service.name,
                    claim.port.port
                ),
                {.hint = "publish no fixed port, or use x-icos replicas, which go to several nodes"}
            );
        }
        services.push_back(std::move(service));
    }
    return services;
}

void gather(const Service& service, Position at, const std::string& path, ManifestFacts& facts) {
    facts.services.push_back({service.name, at, path});
    if (const auto* image = service.out.if_contains("image")) facts.images.emplace_back(image->as_string());
    facts.ports.insert(facts.ports.end(), service.ports.begin(), service.ports.end());
    facts.service_ports.insert(facts.service_ports.end(), service.listens.begin(), service.listens.end());
    facts.holds_data = facts.holds_data || service.holds_data;
    if (service.reservations_line) facts.reservation_lines.push_back(*service.reservations_line);
    const auto* reservations = service.out.if_contains("reservations");
    if (reservations == nullptr) return;
    const auto number = [&](std::string_view key) -> std::uint64_t {
        const auto* value = reservations->as_object().if_contains(key);
        return value == nullptr ? 0 : value->to_number<std::uint64_t>();
    };
    const std::uint64_t milli = (number("nano_cpus") + 999'999) / 1'000'000;
    const std::uint64_t memory = number("memory");
    const std::uint64_t as_header =
        std::min(read_memory(service.reserved_memory).value.value_or(memory), memory);
    facts.cpu_milli = saturating_add(facts.cpu_milli, saturating_multiply(milli, service.replicas));
    facts.memory = saturating_add(facts.memory, saturating_multiply(memory, service.replicas));
    facts.memory_as_header =
        saturating_add(facts.memory_as_header, saturating_multiply(as_header, service.replicas));
}

Position key_place(const Field& services, const std::string& name) {
    const Member* member = services.node().member(name);
    return member == nullptr ? services.node().at : member->key.at;
}

}  // namespace

ManifestFacts normalise(const Field& manifest) {
    Report& report = manifest.report();
    Node tree = yaml::merged(manifest.node(), manifest.path(), report);
    interpolate(tree, manifest.path(), report);
    const Field root(tree, manifest.path(), "manifest", report);
    supported_keys(root, kKeys);

    object out;
    const auto section = [&](std::string_view key, object (*read)(const Field&)) {
        const auto field = root.at(key);
        object value = field ? read(*field) : object();
        if (field) out[key] = value;
        return value;
    };
    ManifestFacts facts;
    out["services"] = object();
    const object networks = section("networks", read_networks_section);
    const object volumes = section("volumes", read_volumes_section);
    const object configs = section("configs", read_configs_section);
    const object secrets = section("secrets", read_secrets_section);

    const auto field = root.at("services");
    if (!field) {
        const Member* member = tree.member("services");
        report.add(
            "E038",
            member == nullptr ? tree.first_key() : member->key.at,
            child(manifest.path(), "services"),
            "services: a compose file needs at least one",
            {.hint = "a Kubernetes object needs apiVersion, kind and metadata.name"}
        );
        return facts;
    }
    std::vector<Service> services = read_services(*field);
    check_references(services, {networks, volumes, configs, secrets}, report);
    check_cycles(services, report);
    for (Service& service : services) {
        gather(service, key_place(*field, service.name), child(field->path(), service.name), facts);
        out["services"].as_object()[service.name] = std::move(service.out);
    }
    facts.compose = boost::json::serialize(out);
    return facts;
}

}  // namespace icos::descriptor::compose
