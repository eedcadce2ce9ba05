// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/names.hpp"

#include "icos/link/digest.hpp"

namespace icos::agent {
namespace {

constexpr std::size_t kHashLength = 8;

std::string staged_suffix(const DesiredPlacement& placement) {
    return "g" + placement.digest.substr(0, kHashLength);
}

void set(boost::json::object& labels, std::string_view key, std::string_view value) {
    labels[key] = value;
}

}  // namespace

std::string joined_name(const std::vector<std::string>& parts, std::size_t limit) {
    std::string name;
    for (const std::string& part : parts) {
        if (part.empty()) continue;
        if (!name.empty()) name += '-';
        name += part;
    }
    if (name.size() <= limit) return name;
    const std::string hash = link::sha256_hex(name).substr(0, kHashLength);
    name.resize(limit - kHashLength - 1);
    return name + "-" + hash;
}

std::string app_part(const DesiredPlacement& placement) {
    if (placement.project.empty() || placement.project == "default") return placement.app;
    return placement.project + "." + placement.app;
}

std::string container_name(const DesiredPlacement& placement, std::string_view service, std::uint32_t index) {
    return joined_name(
        {"icos",
         app_part(placement),
         placement.component,
         std::to_string(placement.replica),
         std::string(service),
         std::to_string(index)}
    );
}

std::string staged_container_name(
    const DesiredPlacement& placement, std::string_view service, std::uint32_t index
) {
    const std::string suffix = staged_suffix(placement);
    // The suffix tells generations apart, so it is never the part that is cut.
    const std::vector<std::string> parts{
        "icos",
        app_part(placement),
        placement.component,
        std::to_string(placement.replica),
        std::string(service),
        std::to_string(index)
    };
    return joined_name(parts, 63 - suffix.size() - 1) + "-" + suffix;
}

std::string application_network_name(std::string_view app, const AppId& id) {
    return joined_name({"icos", std::string(app), id.value.substr(0, kHashLength)});
}

std::string component_network_name(const DesiredPlacement& placement, std::string_view network) {
    return joined_name(
        {"icos",
         app_part(placement),
         placement.component,
         std::string(network),
         placement.replica > 0 ? std::to_string(placement.replica) : std::string()}
    );
}

std::string volume_name(const DesiredPlacement& placement, std::string_view volume) {
    return joined_name(
        {"icos",
         app_part(placement),
         placement.component,
         std::string(volume),
         placement.replica > 0 ? std::to_string(placement.replica) : std::string()}
    );
}

boost::json::object application_labels(
    const DesiredPlacement& placement, std::string_view target, const boost::json::object* user_labels
) {
    boost::json::object labels;
    if (user_labels != nullptr) labels = *user_labels;
    set(labels, label::kApp, placement.app);
    set(labels, label::kInstance, placement.app_id.value);
    set(labels, label::kProject, placement.project);
    set(labels, label::kManagedBy, label::kManager);
    set(labels, label::kTarget, target);
    return labels;
}

boost::json::object component_labels(
    const DesiredPlacement& placement, std::string_view target, const boost::json::object* user_labels
) {
    boost::json::object labels = application_labels(placement, target, user_labels);
    set(labels, label::kComponent, placement.component);
    set(labels, label::kPlacement, placement.placement.value);
    set(labels, label::kReplica, std::to_string(placement.replica));
    return labels;
}

boost::json::object container_labels(
    const DesiredPlacement& placement,
    std::string_view target,
    std::string_view service,
    std::uint32_t index,
    const boost::json::object* user_labels
) {
    boost::json::object labels = component_labels(placement, target, user_labels);
    set(labels, label::kService, service);
    set(labels, label::kIndex, std::to_string(index));
    set(labels, label::kDigest, placement.digest);
    set(labels, label::kGeneration, std::to_string(placement.generation));
    return labels;
}

std::map<std::string, std::string> owned_labels(std::string_view target) {
    return {
        {std::string(label::kManagedBy), std::string(label::kManager)},
        {std::string(label::kTarget), std::string(target)}
    };
}

std::map<std::string, std::string> placement_labels(const PlacementId& placement, std::string_view target) {
    std::map<std::string, std::string> labels = owned_labels(target);
    labels.emplace(label::kPlacement, placement.value);
    return labels;
}

}  // namespace icos::agent
