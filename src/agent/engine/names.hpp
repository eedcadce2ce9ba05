// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/container_plan.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace icos::agent {

/// `parts` joined with '-'; beyond `limit` characters it is cut and ends in a hash of the whole.
std::string joined_name(const std::vector<std::string>& parts, std::size_t limit = 63);
/// The application's part of names: projects other than `default` come first, "<project>.<app>".
std::string app_part(const DesiredPlacement& placement);
std::string container_name(const DesiredPlacement& placement, std::string_view service, std::uint32_t index);
std::string staged_container_name(
    const DesiredPlacement& placement, std::string_view service, std::uint32_t index
);
std::string component_network_name(const DesiredPlacement& placement, std::string_view network);

/// Labels of a container of this placement, user labels first so that they cannot hide ours.
boost::json::object container_labels(
    const DesiredPlacement& placement,
    std::string_view target,
    std::string_view service,
    std::uint32_t index,
    const boost::json::object* user_labels
);
/// Labels of the network that all components of the application on this node share.
boost::json::object application_labels(
    const DesiredPlacement& placement, std::string_view target, const boost::json::object* user_labels
);
/// Labels of a network or volume that belongs to the component.
boost::json::object component_labels(
    const DesiredPlacement& placement, std::string_view target, const boost::json::object* user_labels
);

}  // namespace icos::agent
