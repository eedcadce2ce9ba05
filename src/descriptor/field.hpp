// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "report.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace icos::descriptor {

/// A value of the header with the path that leads to it, and typed readings that report what does not fit.
class Field {
public:
    Field(const Node& node, std::string path, std::string subject, Report& report) noexcept
        : node_(&node), path_(std::move(path)), subject_(std::move(subject)), report_(&report) {}

    const Node& node() const noexcept { return *node_; }
    const std::string& path() const noexcept { return path_; }
    Report& report() const noexcept { return *report_; }

    /// Reports at this value; the message is preceded by the field's name.
    void fail(std::string_view code, std::string_view message, Report::Extra extra = {}) const;
    /// E011 "expected X, got Y".
    void wrong_type(std::string_view expected, std::string_view code = "E011") const;

    /// Member of a map that is present and not null.
    std::optional<Field> at(std::string_view key) const;
    Field item(std::size_t index) const;

    bool expect_map(std::string_view code = "E011") const;
    bool expect_list(std::string_view code = "E011") const;
    /// A string that YAML does not read as something else.
    std::optional<std::string> string(std::string_view code = "E011") const;
    std::optional<bool> boolean(std::string_view code = "E011") const;
    /// A number as the contract spells it: `0.5`, "0.5", `1e0`; not `12:30`, `1_000`, `0o10`.
    std::optional<double> number(std::string_view code = "E011") const;
    std::optional<std::uint64_t> integer(
        std::uint64_t low, std::uint64_t high, std::string_view code = "E011"
    ) const;
    std::optional<std::string> one_of(std::span<const std::string_view> words, std::string_view code) const;
    /// One string or a list of at least one.
    std::optional<std::vector<std::string>> strings(std::string_view code = "E011") const;

    /// Reports keys that are not among `known` at the key, with the nearest known one.
    void known_keys(std::span<const std::string_view> known, std::string_view code = "E013") const;

private:
    const Node* node_;
    std::string path_;
    std::string subject_;
    Report* report_;
};

/// ^[0-9]+(ms|s|m|h|d|w|y)$ as milliseconds.
std::optional<std::uint64_t> prometheus_duration_ms(std::string_view text);
/// A finite decimal number.
std::optional<double> parse_number(std::string_view text);
/// RFC 1123 label of at most 63 characters.
bool is_rfc1123(std::string_view name) noexcept;
/// The nearest RFC 1123 label; may be empty.
std::string to_rfc1123(std::string_view name);
/// "kubernetes, docker or multiple"
std::string enumerate(std::span<const std::string_view> words);

}  // namespace icos::descriptor
