// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/ids.hpp"

#include <cstdint>
#include <map>

namespace icos {

/// What the placements on one node take together: declared requests, not measurements.
struct ClaimSum {
    std::uint64_t cpu_milli = 0;
    std::uint64_t memory_bytes = 0;
    std::uint32_t placements = 0;  ///< replicas that have their home there, whatever they declare
};

/// Declared requests per node, of every placement that exists (running, stopped or still being removed). A
/// node without placements is absent. Provided by whoever places (the Job Manager); fleet finds it when it
/// starts, because its provider is configured after fleet, and without one shows nodes as free.
/// Loop-confined, cheap: asked for each answer about nodes.
class ClaimsView {
public:
    virtual ~ClaimsView() = default;
    virtual std::map<NodeId, ClaimSum> current() const = 0;
};

}  // namespace icos
