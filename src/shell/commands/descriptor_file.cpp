// SPDX-License-Identifier: Apache-2.0
#include "commands/descriptor_file.hpp"

#include "commands/secret_files.hpp"
#include "context.hpp"
#include "output/format.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

namespace icos::shell {

Result<std::vector<DescriptorFile>> read_descriptors(const std::vector<std::string>& paths, bool strict) {
    std::vector<DescriptorFile> files;
    for (const std::string& path : paths) {
        DescriptorFile file;
        file.path = path == "-" ? "<stdin>" : path;
        if (path == "-") {
            file.text.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
        } else {
            std::ifstream in(path, std::ios::binary);
            if (in) file.text.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
            if (!in) return Error{errc::io, path + ": " + std::strerror(errno)};
        }
        descriptor::Options options;
        options.strict = strict;
        ResolvedText resolved = resolve_secrets(std::move(file.text), path);
        file.text = std::move(resolved.text);
        file.parsed = descriptor::parse(file.text, options);
        for (descriptor::Diagnostic& problem : resolved.problems) {
            file.parsed.diagnostics.push_back(std::move(problem));
            file.parsed.application.reset();
        }
        if (file.parsed.application) file.app = file.parsed.application->name;
        files.push_back(std::move(file));
    }
    return files;
}

bool print_diagnostics(const std::vector<DescriptorFile>& files) {
    bool valid = true;
    for (const DescriptorFile& file : files) {
        for (const auto& diagnostic : file.parsed.diagnostics) {
            if (diagnostic.severity == descriptor::Severity::info) continue;
            std::fprintf(stderr, "%s:%s\n", file.path.c_str(), descriptor::to_line(diagnostic).c_str());
        }
        valid = valid && file.parsed.application.has_value();
    }
    return valid;
}

int report_descriptor(const Error& error, const DescriptorFile& file) {
    const int code = report(error);
    if (error.extra == nullptr) return code;
    for (const auto& item : list_of(boost::json::value(*error.extra), "diagnostics")) {
        std::fprintf(
            stderr,
            "%s:%s:%s: %s: %s%s [%s]\n",
            file.path.c_str(),
            text_of(item, "line").c_str(),
            text_of(item, "column").c_str(),
            text_of(item, "severity").c_str(),
            text_of(item, "message").c_str(),
            text_of(item, "hint").empty() ? "" : ("; " + text_of(item, "hint")).c_str(),
            text_of(item, "code").c_str()
        );
    }
    return code;
}

}  // namespace icos::shell
