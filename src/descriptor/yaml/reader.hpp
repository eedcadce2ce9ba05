// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "report.hpp"
#include "yaml/node.hpp"
#include "yaml/source.hpp"

#include <vector>

namespace icos::descriptor::yaml {

/// The documents of a text (empty ones left out). `complete` is false if reading had to stop; the report says
/// why.
struct Stream {
    std::vector<Node> documents;
    bool complete = false;
};

/// Reads a text that passed `Source::bad_byte`, repairing `key:value` lines on the way (at most 20). Reports
/// syntax errors (E001, E003), repairs (W002), duplicate keys (E004), limits (E007) and glued list items
/// (E009).
Stream read(Source& source, const Options& options, Report& report);

/// Keys after which a missing space is repaired.
bool is_repairable_key(std::string_view key) noexcept;

}  // namespace icos::descriptor::yaml
