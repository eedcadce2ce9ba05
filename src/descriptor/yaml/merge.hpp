// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "report.hpp"
#include "yaml/node.hpp"

#include <string>

namespace icos::descriptor::yaml {

/// The tree with merge keys (`<<: *anchor`, `<<: [*a, *b]`) resolved: a map's own keys win, then the earlier
/// source. Reports C002 where `<<` holds no map.
Node merged(const Node& node, const std::string& path, Report& report);

}  // namespace icos::descriptor::yaml
