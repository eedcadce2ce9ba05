// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "api.hpp"

#include <string>

namespace icos::shell {

enum class Format { table, wide, json, yaml, name };

/// Exit codes of `icos`; scripts rely on them.
enum Exit : int {
    kDone = 0,
    kRefused = 1,
    kUsage = 2,
    kInvalidDescriptor = 3,
    kUnreachable = 4,
    kTimedOut = 5
};

/// What every command gets.
struct Context {
    Runtime& runtime;
    Api& api;
    Format format = Format::table;
    std::string project = "default";
    bool terminal = false;  ///< stdout is a terminal: progress is redrawn in place
    bool colour = false;

    /// "?project=P" or "&project=P" is added to `target` unless the project is the default one.
    std::string in_project(std::string target) const;
};

/// Prints "error: <detail> [<code>]" and, on a line of its own, the hint to stderr; returns the exit code of
/// its kind.
int report(const Error& error);

}  // namespace icos::shell
