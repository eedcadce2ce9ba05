// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/ports/matchmaker.hpp"
#include "search.hpp"

namespace icos::matchmaker {

/// Places by declared capacity. Rules are checked in the order of `Rule`; all replicas of a request are
/// chosen together, so that no node is ever over-committed; Docker components joined by communication share a
/// node; what runs stays where it is. Stateless, any thread.
class CapacityMatchmaker final : public Matchmaker {
public:
    explicit CapacityMatchmaker(SearchLimits limits = {}) : limits_(limits) {}
    PlaceResult place(const Topology& topology, const PlaceRequest& request) const override;

private:
    SearchLimits limits_;
};

}  // namespace icos::matchmaker
