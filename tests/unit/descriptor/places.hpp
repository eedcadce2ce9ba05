// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/descriptor/descriptor.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace icos::descriptor::test {

/// Parses; where the variable ICOS_DESCRIPTOR_TEXTS names a folder, text and diagnostics are also written
/// there, for schema_check.py. Only with the default options.
Parsed parsed(std::string_view text, const Options& options = {});

/// "CODE line:column" of every diagnostic but the info about absent dependencies, in their order.
inline std::vector<std::string> places(std::string_view text, const Options& options = {}) {
    std::vector<std::string> result;
    for (const Diagnostic& d : parsed(text, options).diagnostics) {
        if (d.code != "I018") result.push_back(fmt::format("{} {}:{}", d.code, d.line, d.column));
    }
    return result;
}

/// The first diagnostic with this code; an empty one if there is none.
inline Diagnostic first(std::string_view text, std::string_view code, const Options& options = {}) {
    for (Diagnostic& d : parsed(text, options).diagnostics) {
        if (d.code == code) return d;
    }
    return {};
}

/// A row of a table: the lines below a fixed head, and the expected places.
struct Row {
    std::string_view what;
    std::string text;
    std::vector<std::string> expected;
};

}  // namespace icos::descriptor::test
