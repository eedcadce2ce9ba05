// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"
#include "icos/descriptor/descriptor.hpp"

#include <string>
#include <vector>

namespace icos::shell {

/// A descriptor as it was read, with what the validator says of it.
struct DescriptorFile {
    std::string path;  ///< as given; "<stdin>" for "-"
    std::string text;  ///< with the contents of secrets inline, where it refers to files or variables
    std::string app;
    descriptor::Parsed parsed;
};

/// Reads each path ("-" = standard input) and validates it here, before anything is sent. core.io if one
/// cannot be read.
Result<std::vector<DescriptorFile>> read_descriptors(const std::vector<std::string>& paths, bool strict);
/// "file:line:col: severity: message [code]" to stderr; false when one has errors.
bool print_diagnostics(const std::vector<DescriptorFile>& files);
/// Reports the server's refusal of a descriptor, its diagnostics with the file's name; returns the exit code.
int report_descriptor(const Error& error, const DescriptorFile& file);

}  // namespace icos::shell
