// SPDX-License-Identifier: Apache-2.0
// Any bytes are a descriptor or have diagnostics with places inside the text; what is given out is
// consistent.
#include "icos/descriptor/descriptor.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check(std::string_view text, const icos::descriptor::Options& options) {
    using namespace icos::descriptor;
    const Parsed parsed = parse(text, options);
    require(parsed.application.has_value() != has_errors(parsed.diagnostics));
    const auto lines = static_cast<std::size_t>(std::count_if(
                           text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }
                       )) +
                       1;
    for (const Diagnostic& diagnostic : parsed.diagnostics) {
        require(diagnostic.line >= 1 && diagnostic.line <= lines && diagnostic.column >= 1);
        require(!to_line(diagnostic).empty());
    }
    to_json(parsed.diagnostics);
    if (!parsed.application) return;
    for (const Component& component : parsed.application->components) {
        for (const Manifest& manifest : component.manifests) {
            if (!manifest.compose.empty()) require(boost::json::parse(manifest.compose).is_object());
        }
    }
    for (const auto& [consumer, provider] : parsed.application->edges) {
        require(
            consumer < parsed.application->components.size() &&
            provider < parsed.application->components.size()
        );
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(text, {});
    check(text, {.profile = icos::descriptor::Profile::header, .strict = true});
    return 0;
}
