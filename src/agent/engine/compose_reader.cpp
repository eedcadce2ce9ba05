// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/compose_reader.hpp"

#include <boost/json/array.hpp>
#include <boost/json/string.hpp>

namespace icos::agent {
namespace {

const boost::json::object& empty_object() {
    static const boost::json::object object;
    return object;
}

}  // namespace

bool ComposeReader::has(std::string_view key) const {
    return find(key) != nullptr;
}

const boost::json::value* ComposeReader::find(std::string_view key) const {
    const boost::json::value* value = object_->if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

void ComposeReader::fail(std::string_view key, std::string_view expected) const {
    if (error_->has_value()) return;
    *error_ =
        Error{errc::invalid, path_ + ": member '" + std::string(key) + "' is not " + std::string(expected)};
}

std::optional<std::string> ComposeReader::text(std::string_view key) const {
    const boost::json::value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (const auto* string = value->if_string()) return std::string(*string);
    fail(key, "a string");
    return std::nullopt;
}

std::optional<std::int64_t> ComposeReader::integer(std::string_view key) const {
    const boost::json::value* value = find(key);
    if (value == nullptr) return std::nullopt;
    boost::system::error_code ec;
    const auto number = value->is_number() ? value->to_number<std::int64_t>(ec) : 0;
    if (value->is_number() && !ec) return number;
    fail(key, "a whole number");
    return std::nullopt;
}

std::optional<bool> ComposeReader::flag(std::string_view key) const {
    const boost::json::value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (const bool* flag = value->if_bool()) return *flag;
    fail(key, "true or false");
    return std::nullopt;
}

const boost::json::array* ComposeReader::list(std::string_view key) const {
    const boost::json::value* value = find(key);
    if (value == nullptr) return nullptr;
    if (const auto* array = value->if_array()) return array;
    fail(key, "a list");
    return nullptr;
}

const boost::json::object* ComposeReader::map(std::string_view key) const {
    const boost::json::value* value = find(key);
    if (value == nullptr) return nullptr;
    if (const auto* object = value->if_object()) return object;
    fail(key, "an object");
    return nullptr;
}

std::vector<ComposeReader> ComposeReader::items(std::string_view key) const {
    std::vector<ComposeReader> out;
    const boost::json::array* array = list(key);
    if (array == nullptr) return out;
    for (const boost::json::value& value : *array) {
        const auto* object = value.if_object();
        if (object == nullptr) {
            fail(key, "a list of objects");
            break;
        }
        out.emplace_back(
            *object, path_ + ": " + std::string(key) + "[" + std::to_string(out.size()) + "]", *error_
        );
    }
    return out;
}

std::vector<std::pair<std::string, ComposeReader>> ComposeReader::members(std::string_view key) const {
    std::vector<std::pair<std::string, ComposeReader>> out;
    const boost::json::object* object = map(key);
    if (object == nullptr) return out;
    for (const auto& member : *object) {
        const boost::json::object* child =
            member.value().is_null() ? &empty_object() : member.value().if_object();
        if (child == nullptr) {
            fail(key, "an object of objects");
            break;
        }
        const std::string name(member.key());
        const std::string path = path_.empty() ? std::string(key) + " '" + name + "'"
                                               : path_ + ": " + std::string(key) + " '" + name + "'";
        out.emplace_back(name, ComposeReader(*child, path, *error_));
    }
    return out;
}

}  // namespace icos::agent
