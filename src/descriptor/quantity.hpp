// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace icos::descriptor {

/// A reading of a quantity: the value, or why there is none; `lenient` says what was read generously.
struct QuantityReading {
    std::optional<std::uint64_t> value;
    std::string code;     ///< of the problem, if there is no value
    std::string message;  ///< of the problem, or of the leniency
    std::string hint;
};

/// Cores or milli-cores ("0.5", "500m") as milli-cores, rounded up.
QuantityReading read_cpu(std::string_view text);
/// Kubernetes quantity of memory as bytes, rounded up.
QuantityReading read_memory(std::string_view text);

}  // namespace icos::descriptor
