// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/config/config.hpp"

namespace icos::controller {

/// The controller's own sections and one "modules.<name>" per module with keys.
config::Sections sections();

}  // namespace icos::controller
