// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/descriptor/diagnostic.hpp"

#include <string>
#include <vector>

namespace icos::shell {

/// A descriptor with the contents of its secrets inline.
struct ResolvedText {
    std::string text;  ///< with the same line numbers
    std::vector<descriptor::Diagnostic> problems;
};

/// Puts in what `secrets: {NAME: {file: PATH}}` and `{environment: VARIABLE}` refer to. Paths are relative to
/// the descriptor's folder (`path`; the working directory for "-"). Problems (C012) stand at the path or
/// variable: not readable, larger than 64 KiB, not text.
ResolvedText resolve_secrets(std::string text, const std::string& path);

}  // namespace icos::shell
