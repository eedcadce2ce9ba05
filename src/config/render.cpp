// SPDX-License-Identifier: Apache-2.0
#include "icos/config/config.hpp"

#include <fmt/format.h>

#include <set>

namespace icos::config {
namespace {

std::string type_name(const Key& key) {
    switch (key.type) {
        case Type::text:
            return key.allowed.empty() ? "text" : fmt::format("{}", fmt::join(key.allowed, " \\| "));
        case Type::integer:
            return "integer";
        case Type::boolean:
            return "true \\| false";
        case Type::duration:
            return "duration";
        case Type::bytes:
            return "bytes";
        case Type::list:
            return "list";
    }
    return "text";
}

std::string written(const Key& key) {
    if (key.type == Type::list) return "[" + key.fallback + "]";
    if (key.fallback.empty()) return "\"\"";
    return key.fallback;
}

/// `text` in lines of at most `width` characters, each after `indent`.
std::string wrap(const std::string& text, const std::string& indent, std::size_t width) {
    std::string out;
    std::string line = indent;
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t end = text.find(' ', at);
        if (end == std::string::npos) end = text.size();
        const std::string word = text.substr(at, end - at);
        if (line.size() > indent.size() && line.size() + 1 + word.size() > width) {
            out += line + "\n";
            line = indent;
        }
        if (line.size() > indent.size()) line += ' ';
        line += word;
        at = end + 1;
    }
    return out + line + "\n";
}

}  // namespace

std::string render_default_file(const Sections& sections, std::string_view title) {
    std::string out = fmt::format("# {}: every key with its default.\n", title);
    std::set<std::string> opened;
    for (const auto& [section, schema] : sections) {
        if (schema.keys.empty()) continue;
        std::string indent;
        std::size_t at = 0;
        out += "\n";
        for (;;) {
            const std::size_t dot = section.find('.', at);
            const std::string path = section.substr(0, dot);
            if (opened.insert(path).second)
                out += indent + section.substr(at, dot == std::string::npos ? dot : dot - at) + ":\n";
            indent += "  ";
            if (dot == std::string::npos) break;
            at = dot + 1;
        }
        for (const Key& key : schema.keys) {
            out += wrap(key.description, indent + "# ", 110);
            out += indent + key.name + ": " + written(key) + "\n";
        }
    }
    return out;
}

std::string render_reference(const Sections& sections, std::string_view title) {
    std::string out = fmt::format("# {}\n", title);
    for (const auto& [section, schema] : sections) {
        if (schema.keys.empty()) continue;
        out += fmt::format("\n## {}\n\n| key | type | default | meaning |\n|---|---|---|---|\n", section);
        for (const Key& key : schema.keys) {
            out += fmt::format(
                "| `{}` | {} | `{}` | {} |\n", key.name, type_name(key), written(key), key.description
            );
        }
    }
    return out;
}

}  // namespace icos::config
