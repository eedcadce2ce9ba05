// SPDX-License-Identifier: Apache-2.0
#include "modules.hpp"

#include "fleet/fleet_module.hpp"
#include "job_manager/job_manager_module.hpp"
#include "matchmaker/matchmaker_module.hpp"

namespace icos::controller {

const std::vector<ModuleDescriptor>& modules() {
    static const std::vector<ModuleDescriptor> kModules{
        fleet::descriptor(),
        matchmaker::descriptor(),
        job_manager::descriptor(),
    };
    return kModules;
}

}  // namespace icos::controller
