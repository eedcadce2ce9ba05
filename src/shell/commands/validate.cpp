// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "commands/descriptor_file.hpp"
#include "output/document.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace icos::shell {
namespace {

std::string counted(std::size_t count, const char* noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

int validate(const ValidateOptions& options, Format format) {
    const Result<std::vector<DescriptorFile>> files = read_descriptors(options.files, options.strict);
    if (files.has_error()) return report(files.error());

    std::size_t errors = 0;
    std::size_t warnings = 0;
    boost::json::array documents;
    for (const DescriptorFile& file : *files) {
        for (const auto& diagnostic : file.parsed.diagnostics) {
            errors += diagnostic.severity == descriptor::Severity::error ? 1 : 0;
            warnings += diagnostic.severity == descriptor::Severity::warning ? 1 : 0;
            if (format == Format::table || format == Format::wide) {
                std::printf("%s:%s\n", file.path.c_str(), descriptor::to_line(diagnostic).c_str());
            }
        }
        documents.push_back(boost::json::object{
            {"file", file.path},
            {"valid", file.parsed.application.has_value()},
            {"diagnostics", boost::json::parse(descriptor::to_json(file.parsed.diagnostics))},
        });
        if (format == Format::name && file.parsed.application) std::printf("%s\n", file.app.c_str());
    }
    if (format == Format::json) std::fputs(to_pretty_json(documents).c_str(), stdout);
    if (format == Format::yaml) std::fputs(to_yaml(documents).c_str(), stdout);
    if (format == Format::table || format == Format::wide) {
        if (errors + warnings == 0)
            std::printf("%s valid\n", files->size() == 1 ? (files->front().path + " is").c_str() : "all are");
        if (errors + warnings > 0)
            std::printf("%s, %s\n", counted(errors, "error").c_str(), counted(warnings, "warning").c_str());
    }
    return errors == 0 ? kDone : kInvalidDescriptor;
}

}  // namespace icos::shell
