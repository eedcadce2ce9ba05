// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "facts.hpp"
#include "field.hpp"

namespace icos::descriptor::compose {

/// A compose manifest as canonical JSON (icos/descriptor/compose.hpp) with what follows from it. Problems go
/// to the report as C codes; keys that are not supported are refused, never ignored.
ManifestFacts normalise(const Field& manifest);

}  // namespace icos::descriptor::compose
