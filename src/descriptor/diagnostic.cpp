// SPDX-License-Identifier: Apache-2.0
#include "icos/descriptor/diagnostic.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace icos::descriptor {

std::string_view to_string(Severity severity) noexcept {
    switch (severity) {
        case Severity::error:
            return "error";
        case Severity::warning:
            return "warning";
        case Severity::info:
            return "info";
    }
    return "error";
}

std::string to_line(const Diagnostic& diagnostic) {
    return fmt::format(
        "{}:{}: {}: {}{}{} [{}]",
        diagnostic.line,
        diagnostic.column,
        to_string(diagnostic.severity),
        diagnostic.message,
        diagnostic.hint.empty() ? "" : "; ",
        diagnostic.hint,
        diagnostic.code
    );
}

std::string to_json(const std::vector<Diagnostic>& diagnostics) {
    boost::json::array array;
    for (const Diagnostic& diagnostic : diagnostics) {
        boost::json::array related;
        for (const Related& other : diagnostic.related) {
            related.push_back(boost::json::object{{"line", other.line}, {"message", other.message}});
        }
        array.push_back(boost::json::object{
            {"code", diagnostic.code},
            {"severity", to_string(diagnostic.severity)},
            {"line", diagnostic.line},
            {"column", diagnostic.column},
            {"path", diagnostic.path},
            {"message", diagnostic.message},
            {"hint", diagnostic.hint},
            {"related", std::move(related)},
        });
    }
    return boost::json::serialize(array);
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) noexcept {
    return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) {
        return d.severity == Severity::error;
    });
}

}  // namespace icos::descriptor
