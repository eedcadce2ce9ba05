// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::config {

enum class Type { text, integer, boolean, duration, bytes, list };

/// One key of a section: the only place where its default stands. docs/configuration.md and config/*.yaml
/// come from these tables.
struct Key {
    std::string name;  ///< snake_case
    Type type = Type::text;
    std::string fallback;               ///< default, as it would be written; lists comma-separated
    std::string description;            ///< one or two sentences with unit and effect
    std::optional<std::int64_t> min{};  ///< integer, bytes; duration in ms
    std::optional<std::int64_t> max{};
    std::vector<std::string> allowed{};  ///< text: the only values
};
struct Schema {
    std::vector<Key> keys;
};

/// Values of one section after file, conf.d, environment and --set were merged and checked: getters cannot
/// fail for keys of the schema (asking for another is a programming error and throws std::logic_error).
class View {
public:
    View() = default;
    View(std::shared_ptr<const std::map<std::string, std::string, std::less<>>> values)
        : values_(std::move(values)) {}
    const std::string& text(std::string_view key) const;
    std::int64_t integer(std::string_view key) const;
    bool boolean(std::string_view key) const;
    Duration duration(std::string_view key) const;
    std::uint64_t bytes(std::string_view key) const;
    std::vector<std::string> list(std::string_view key) const;

private:
    std::shared_ptr<const std::map<std::string, std::string, std::less<>>> values_;
};

/// A schema's defaults, for tests and for parts that run without a file.
View defaults(const Schema& schema);

}  // namespace icos::config
