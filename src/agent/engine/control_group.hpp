// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace icos::agent {

/// Kills every process whose control group is that of a container with this id (64 hexadecimal digits, as
/// Docker and Podman name the group: `docker-<id>.scope`, `libpod-<id>.scope`, `/docker/<id>`, also with
/// groups below it), and returns how many there were: again until it returns 0, for some may have forked
/// meanwhile. `proc`: where procfs is. Blocks for some milliseconds. engine.failed if one cannot be killed.
Result<std::size_t> kill_control_group(const std::string& proc, const std::string& id);

/// Whether the text of /proc/<pid>/cgroup (cgroups(7)) names the group of this container.
bool is_in_group_of(std::string_view cgroups, std::string_view id);

}  // namespace icos::agent
