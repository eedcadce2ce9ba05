// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/descriptor/diagnostic.hpp"

#include <span>
#include <string_view>

namespace icos::descriptor {

/// A row of the table of diagnostics; docs/descriptor.md has the same rows (a test compares them).
struct Code {
    std::string_view code;
    Severity severity;
    std::string_view meaning;
    std::string_view strict_code = {
    };  ///< the code when `strict` makes an error of it; empty: strict changes nothing
    bool fatal = false;  ///< an error in every profile
};

std::span<const Code> all_codes() noexcept;
/// The row of a code; asking for one that is not in the table is a programming error.
const Code& find_code(std::string_view code);

}  // namespace icos::descriptor
