// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/descriptor/descriptor.hpp"
#include "icos/descriptor/diagnostic.hpp"
#include "yaml/node.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace icos::descriptor {

using yaml::Member;
using yaml::Node;
using yaml::Position;

/// The members of a diagnostic that most do not have.
struct DiagnosticExtra {
    std::string hint{};
    std::vector<Related> related{};
};

/// Collects the problems of one text. Severity comes from the code (codes.hpp), `strict` and the profile.
class Report {
public:
    explicit Report(const Options& options) noexcept
        : strict_(options.strict), profile_(options.profile), expansions_left_(options.max_nodes) {}

    using Extra = DiagnosticExtra;
    void add(std::string_view code, Position at, std::string path, std::string message, Extra extra = {});

    Profile profile() const noexcept { return profile_; }
    /// Asks to make `count` values out of one (a range of ports). False, with E007, when the whole text makes
    /// more than it may have nodes.
    bool may_expand(std::size_t count, Position at, const std::string& path);
    bool has(std::string_view code) const noexcept;
    bool has_errors() const noexcept { return descriptor::has_errors(diagnostics_); }
    /// Sorted by line and column, equal ones once (an alias shows the same problem at each of its uses).
    std::vector<Diagnostic> take();

private:
    bool strict_;
    Profile profile_;
    std::size_t expansions_left_;
    std::vector<Diagnostic> diagnostics_;
};

/// The text, or its beginning and its end where it is longer than `most` bytes: nobody reads a name of a
/// megabyte, and a text that repeats it in each of its problems must not fill the memory.
std::string clipped(std::string text, std::size_t most);

/// "components[1].name"; long keys are clipped.
std::string child(std::string_view path, std::string_view key);
std::string child(std::string_view path, std::size_t index);

}  // namespace icos::descriptor
