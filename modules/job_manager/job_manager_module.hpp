// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/module/module.hpp"

namespace icos::job_manager {

/// Applications, components, placements and events of the native API. Needs the ports of fleet (topology,
/// executor) and the matchmaker. Configuration `modules.job_manager`.
ModuleDescriptor descriptor();

}  // namespace icos::job_manager
