// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace icos::descriptor {

enum class Severity { error, warning, info };
std::string_view to_string(Severity severity) noexcept;

struct Related {
    std::size_t line = 0;
    std::string message;
};

/// One problem of a descriptor. Line and column are 1-based, in characters of the original text.
struct Diagnostic {
    std::string code;  ///< "E031", "W002", see docs/descriptor.md
    Severity severity = Severity::error;
    std::size_t line = 1;
    std::size_t column = 1;
    std::string path;  ///< "components[1].manifests[0].name"
    std::string message;
    std::string hint;
    std::vector<Related> related;
};

/// "9:15: error: memory: unknown unit "200Q" (Ki Mi Gi Ti, k M G T) [E043]" with "; <hint>" before the code.
std::string to_line(const Diagnostic& diagnostic);
/// JSON array in the members of Diagnostic.
std::string to_json(const std::vector<Diagnostic>& diagnostics);
bool has_errors(const std::vector<Diagnostic>& diagnostics) noexcept;

}  // namespace icos::descriptor
