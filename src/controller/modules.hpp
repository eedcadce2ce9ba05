// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/module/module.hpp"

#include <vector>

namespace icos::controller {

/// Every module of this build. The one place that knows them all.
const std::vector<ModuleDescriptor>& modules();

}  // namespace icos::controller
