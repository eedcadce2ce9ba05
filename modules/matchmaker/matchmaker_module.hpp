// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/module/module.hpp"

namespace icos::matchmaker {

/// Provides the Matchmaker port. Configuration `modules.matchmaker`: bounds of the exact search.
ModuleDescriptor descriptor();

}  // namespace icos::matchmaker
