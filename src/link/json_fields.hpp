// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/error.hpp"
#include "icos/core/ids.hpp"
#include "icos/link/session.hpp"
#include "icos/link/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

/// One list of members per wire struct serves both directions: `fields(visitor, type)` names each member
/// once. Members that equal the struct's default are not written; absent ones keep it; unknown ones are
/// skipped.
namespace icos::link::wire {

namespace json = boost::json;

/// Specialised per struct: `template <class V> static void fields(V& v)` calls `v("name", &T::member)` for
/// each.
template <class T>
struct Members;
template <class T>
concept Described = requires { sizeof(Members<T>); };

template <class T>
json::object to_object(const T& value);

template <class T>
json::value to_value(const T& value) {
    if constexpr (Described<T>) {
        return to_object(value);
    } else if constexpr (std::same_as<T, bool>) {
        return json::value(value);
    } else if constexpr (std::integral<T>) {
        if constexpr (std::signed_integral<T>)
            return json::value(static_cast<std::int64_t>(value));
        else
            return json::value(static_cast<std::uint64_t>(value));
    } else if constexpr (std::same_as<T, agent::PlacementState>) {
        const std::string_view name = agent::to_string(value);
        return json::value(json::string_view(name.data(), name.size()));
    } else {
        return json::value(json::string_view(to_valid_utf8(value)));
    }
}
template <class Tag>
json::value to_value(const Id<Tag>& id) {
    return json::value(json::string_view(id.value));
}
template <class T>
json::value to_value(const std::optional<T>& value) {
    return value ? to_value(*value) : json::value(nullptr);
}
template <class T>
json::value to_value(const std::vector<T>& list) {
    json::array out;
    out.reserve(list.size());
    for (const T& item : list) out.push_back(to_value(item));
    return out;
}
template <class T>
json::value to_value(const std::map<std::string, T>& map) {
    json::object out;
    for (const auto& [key, item] : map) out.emplace(to_valid_utf8(key), to_value(item));
    return out;
}

template <class T>
class Writer {
public:
    Writer(const T& value, json::object& out) : value_(value), out_(out) {}
    template <class M>
    void operator()(const char* name, M T::* member) {
        static const T defaults{};
        if (value_.*member != defaults.*member) out_.emplace(name, to_value(value_.*member));
    }

private:
    const T& value_;
    json::object& out_;
};

template <class T>
json::object to_object(const T& value) {
    json::object out;
    Writer<T> writer(value, out);
    Members<T>::fields(writer);
    return out;
}

/// Where decoding failed first.
struct Failure {
    std::optional<Error> error;
    void at(const std::string& path, std::string_view expected) {
        if (!error) error = Error{errc::protocol, path + ": expected " + std::string(expected)};
    }
};

template <class T>
void from_value(const json::value& in, T& out, const std::string& path, Failure& failure);

template <class Tag>
void from_value(const json::value& in, Id<Tag>& out, const std::string& path, Failure& failure) {
    from_value(in, out.value, path, failure);
}
template <class T>
void from_value(const json::value& in, std::optional<T>& out, const std::string& path, Failure& failure) {
    if (in.is_null()) return out.reset();
    from_value(in, out.emplace(), path, failure);
}
template <class T>
void from_value(const json::value& in, std::vector<T>& out, const std::string& path, Failure& failure) {
    const json::array* list = in.if_array();
    if (list == nullptr) return failure.at(path, "a list");
    out.clear();
    out.reserve(list->size());
    for (const json::value& item : *list) {
        from_value(item, out.emplace_back(), path + "[" + std::to_string(out.size() - 1) + "]", failure);
        if (failure.error) return;
    }
}
template <class T>
void from_value(
    const json::value& in, std::map<std::string, T>& out, const std::string& path, Failure& failure
) {
    const json::object* object = in.if_object();
    if (object == nullptr) return failure.at(path, "an object");
    out.clear();
    for (const auto& [key, item] : *object) {
        from_value(item, out[std::string(key)], path + "." + std::string(key), failure);
        if (failure.error) return;
    }
}

template <class T>
class Reader {
public:
    Reader(const json::object& in, T& out, const std::string& path, Failure& failure)
        : in_(in), out_(out), path_(path), failure_(failure) {}
    template <class M>
    void operator()(const char* name, M T::* member) {
        if (failure_.error) return;
        const json::value* value = in_.if_contains(name);
        if (value != nullptr)
            from_value(*value, out_.*member, path_.empty() ? name : path_ + "." + name, failure_);
    }

private:
    const json::object& in_;
    T& out_;
    const std::string& path_;
    Failure& failure_;
};

template <class T>
void from_value(const json::value& in, T& out, const std::string& path, Failure& failure) {
    if constexpr (Described<T>) {
        const json::object* object = in.if_object();
        if (object == nullptr) return failure.at(path, "an object");
        Reader<T> reader(*object, out, path, failure);
        Members<T>::fields(reader);
    } else if constexpr (std::same_as<T, bool>) {
        if (!in.is_bool()) return failure.at(path, "true or false");
        out = in.get_bool();
    } else if constexpr (std::integral<T>) {
        boost::system::error_code ec;
        const T number = in.to_number<T>(ec);
        if (ec) return failure.at(path, "an integer in range");
        out = number;
    } else if constexpr (std::same_as<T, agent::PlacementState>) {
        const json::string* text = in.if_string();
        if (text == nullptr) return failure.at(path, "a string");
        // A state of a later version is shown as pending rather than refusing all that came with it.
        out = agent::parse_placement_state({text->data(), text->size()})
                  .value_or(agent::PlacementState::pending);
    } else {
        const json::string* text = in.if_string();
        if (text == nullptr) return failure.at(path, "a string");
        out.assign(text->data(), text->size());
    }
}

}  // namespace icos::link::wire
