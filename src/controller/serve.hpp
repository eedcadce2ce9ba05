// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/config/config.hpp"

#include <string>

namespace icos::controller {

/// Runs a controller until SIGTERM or SIGINT. Returns the exit code: 0 after an orderly stop, 1 when it could
/// not start, 2 when the configuration makes no sense. A second signal ends the process at once.
int serve(const config::Config& config, const std::string& data_dir);

}  // namespace icos::controller
