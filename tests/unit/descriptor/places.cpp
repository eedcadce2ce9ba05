// SPDX-License-Identifier: Apache-2.0
#include "places.hpp"

#include <cstdlib>
#include <fstream>
#include <functional>

namespace icos::descriptor::test {
namespace {

void write(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

Parsed parsed(std::string_view text, const Options& options) {
    Parsed result = parse(text, options);
    const char* folder = std::getenv("ICOS_DESCRIPTOR_TEXTS");
    if (folder != nullptr && options.profile == Profile::full && !options.strict) {
        const std::string path = fmt::format("{}/{:016x}", folder, std::hash<std::string_view>()(text));
        write(path + ".yaml", text);
        write(path + ".json", to_json(result.diagnostics));
    }
    return result;
}

}  // namespace icos::descriptor::test
