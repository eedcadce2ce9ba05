// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <compare>
#include <functional>
#include <string>

namespace icos {

/// A strong string id: `AppId` and `NodeId` cannot be mixed up. Values are UUIDs (RFC 9562, version 4) unless
/// said.
template <class Tag>
struct Id {
    std::string value;
    auto operator<=>(const Id&) const = default;
    bool empty() const noexcept { return value.empty(); }
};

using AppId = Id<struct AppTag>;
using PlacementId = Id<struct PlacementTag>;
using NodeId = Id<struct NodeTag>;
/// A place where something can be put: for a Docker node the same UUID as its NodeId (design: one node, one
/// target).
using TargetId = Id<struct TargetTag>;

}  // namespace icos

template <class Tag>
struct std::hash<icos::Id<Tag>> {
    std::size_t operator()(const icos::Id<Tag>& id) const noexcept {
        return std::hash<std::string>{}(id.value);
    }
};
