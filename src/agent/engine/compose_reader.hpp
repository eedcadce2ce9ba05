// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos::agent {

/// Typed access to one object of canonical compose. The first member of a wrong type is kept as the error;
/// later reads go on with "absent", so that callers check once at the end. Children share the error of their
/// root.
class ComposeReader {
public:
    /// `error` must outlive the reader and its children.
    ComposeReader(const boost::json::object& object, std::string path, std::optional<Error>& error)
        : object_(&object), path_(std::move(path)), error_(&error) {}

    const boost::json::object& object() const noexcept { return *object_; }
    const std::string& path() const noexcept { return path_; }
    bool has(std::string_view key) const;

    std::optional<std::string> text(std::string_view key) const;
    std::optional<std::int64_t> integer(std::string_view key) const;
    std::optional<bool> flag(std::string_view key) const;
    /// Copies of members as the engine takes them; nullptr when absent.
    const boost::json::array* list(std::string_view key) const;
    const boost::json::object* map(std::string_view key) const;

    /// The objects of a list of objects.
    std::vector<ComposeReader> items(std::string_view key) const;
    /// Members of an object of objects ({} stands for null), in the order of the text.
    std::vector<std::pair<std::string, ComposeReader>> members(std::string_view key) const;

    void fail(std::string_view key, std::string_view expected) const;

private:
    const boost::json::value* find(std::string_view key) const;

    const boost::json::object* object_;
    std::string path_;
    std::optional<Error>* error_;
};

}  // namespace icos::agent
