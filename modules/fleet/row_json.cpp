// SPDX-License-Identifier: Apache-2.0
#include "row_json.hpp"

#include "icos/store/store.hpp"

#include <boost/json/parse.hpp>

namespace icos::fleet {

json::array devices_to_json(const std::vector<agent::Device>& devices) {
    json::array out;
    out.reserve(devices.size());
    for (const agent::Device& device : devices) {
        out.push_back(json::object{{"name", device.name}, {"path", device.path}});
    }
    return out;
}

RowReader::RowReader(std::string_view kind, std::string_view id, std::string_view body)
    : subject_(std::string(kind) + " '" + std::string(id) + "'") {
    boost::system::error_code failed;
    json::value value = json::parse(json::string_view(body.data(), body.size()), failed);
    if (failed || !value.is_object()) {
        error_ = corrupt("not a JSON object");
        return;
    }
    object_ = std::move(value.get_object());
}

Error RowReader::corrupt(std::string_view what) const {
    return Error{
        store_errc::corrupt,
        "the stored " + subject_ + " cannot be read: " + std::string(what),
        "restore the data directory from a backup"
    };
}

void RowReader::fail(std::string_view member, std::string_view expected) {
    if (!error_) error_ = corrupt(std::string(member) + ": expected " + std::string(expected));
}

const json::value* RowReader::find(std::string_view member) const {
    return object_.if_contains(json::string_view(member.data(), member.size()));
}

std::string RowReader::text(std::string_view member) {
    const json::value* value = find(member);
    if (value == nullptr) return {};
    const json::string* text = value->if_string();
    if (text == nullptr) {
        fail(member, "a string");
        return {};
    }
    return {text->data(), text->size()};
}

std::int64_t RowReader::integer(std::string_view member) {
    const json::value* value = find(member);
    if (value == nullptr) return 0;
    boost::system::error_code failed;
    const auto number = value->to_number<std::int64_t>(failed);
    if (failed) fail(member, "an integer");
    return failed ? 0 : number;
}

bool RowReader::boolean(std::string_view member) {
    const json::value* value = find(member);
    if (value == nullptr) return false;
    if (!value->is_bool()) fail(member, "true or false");
    return value->is_bool() && value->get_bool();
}

std::map<std::string, std::optional<std::string>> RowReader::labels(std::string_view member) {
    std::map<std::string, std::optional<std::string>> out;
    const json::value* value = find(member);
    if (value == nullptr) return out;
    const json::object* object = value->if_object();
    if (object == nullptr) {
        fail(member, "an object");
        return out;
    }
    for (const auto& [key, item] : *object) {
        if (item.is_null()) {
            out.emplace(std::string(key), std::nullopt);
        } else if (const json::string* text = item.if_string()) {
            out.emplace(std::string(key), std::string(text->data(), text->size()));
        } else {
            fail(member, "strings");
        }
    }
    return out;
}

const json::array& RowReader::list(std::string_view member) {
    static const json::array empty;
    const json::value* value = find(member);
    if (value == nullptr) return empty;
    if (const json::array* array = value->if_array()) return *array;
    fail(member, "a list");
    return empty;
}

std::vector<agent::Device> RowReader::devices(std::string_view member) {
    std::vector<agent::Device> out;
    for (const json::value& item : list(member)) {
        const json::object* object = item.if_object();
        const json::value* name = object == nullptr ? nullptr : object->if_contains("name");
        const json::value* path = object == nullptr ? nullptr : object->if_contains("path");
        if (name == nullptr || !name->is_string() || (path != nullptr && !path->is_string())) {
            fail(member, "a list of {name, path}");
            return out;
        }
        agent::Device device;
        device.name = std::string(name->get_string().data(), name->get_string().size());
        if (path != nullptr) device.path = std::string(path->get_string().data(), path->get_string().size());
        out.push_back(std::move(device));
    }
    return out;
}

}  // namespace icos::fleet
