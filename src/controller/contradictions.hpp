// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/config/config.hpp"
#include "icos/module/module.hpp"

#include <vector>

namespace icos::controller {

/// What is wrong with a configuration whose every value is right by itself: all of it, so that one run of
/// check-config is enough.
std::vector<config::Problem> contradictions(
    const config::Config& config, const std::vector<ModuleDescriptor>& known
);

}  // namespace icos::controller
