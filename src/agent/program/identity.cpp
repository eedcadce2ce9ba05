// SPDX-License-Identifier: Apache-2.0
#include "identity.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace icos::agent {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : std::string();
}

}  // namespace

std::string identity_path(const std::string& state_dir) {
    return state_dir + "/identity.json";
}

std::string encode_identity(const Identity& identity) {
    json::array controllers;
    for (const std::string& controller : identity.controllers) controllers.emplace_back(controller);
    json::object labels;
    for (const auto& [key, value] : identity.labels) labels.emplace(key, value);
    json::array devices;
    for (const Device& device : identity.devices) {
        devices.push_back(json::object{{"name", device.name}, {"path", device.path}});
    }
    return json::serialize(json::object{
        {"version", 1},
        {"node_id", identity.node_id},
        {"name", identity.name},
        {"cluster", identity.cluster},
        {"controller_id", identity.controller_id},
        {"controller_name", identity.controller_name},
        {"controllers", std::move(controllers)},
        {"ca_pin", identity.ca_pin},
        {"ca", identity.ca},
        {"certificate", identity.certificate},
        {"key", identity.key},
        {"docker_socket", identity.docker_socket},
        {"labels", std::move(labels)},
        {"devices", std::move(devices)},
    });
}

Result<Identity> decode_identity(std::string_view text) {
    boost::system::error_code ec;
    const json::value value = json::parse(json::string_view(text.data(), text.size()), ec);
    if (ec || !value.is_object()) return Error{errc::invalid, "it is not a JSON object"};
    const json::object& object = value.get_object();
    Identity out;
    out.node_id = text_of(object, "node_id");
    out.name = text_of(object, "name");
    out.cluster = text_of(object, "cluster");
    out.controller_id = text_of(object, "controller_id");
    out.controller_name = text_of(object, "controller_name");
    out.ca_pin = text_of(object, "ca_pin");
    out.ca = text_of(object, "ca");
    out.certificate = text_of(object, "certificate");
    out.key = text_of(object, "key");
    out.docker_socket = text_of(object, "docker_socket");
    if (const json::value* list = object.if_contains("controllers"); list != nullptr && list->is_array()) {
        for (const json::value& item : list->get_array()) {
            if (item.is_string()) out.controllers.emplace_back(item.get_string().c_str());
        }
    }
    if (const json::value* labels = object.if_contains("labels"); labels != nullptr && labels->is_object()) {
        for (const auto& [key, item] : labels->get_object()) {
            if (item.is_string()) out.labels[std::string(key)] = item.get_string().c_str();
        }
    }
    if (const json::value* devices = object.if_contains("devices");
        devices != nullptr && devices->is_array()) {
        for (const json::value& item : devices->get_array()) {
            if (item.is_object())
                out.devices.push_back({text_of(item.get_object(), "name"), text_of(item.get_object(), "path")}
                );
        }
    }
    if (out.node_id.empty() || out.key.empty() || out.certificate.empty() || out.controllers.empty()) {
        return Error{errc::invalid, "node_id, key, certificate or controllers are missing"};
    }
    return out;
}

Result<Identity> load_identity(Disk& disk, const std::string& state_dir) {
    const std::string path = identity_path(state_dir);
    if (!disk.exists(path)) {
        return Error{
            errc::not_found,
            "this machine has not joined a controller: there is no " + path,
            "icos node token, on the controller, prints the command that joins it"
        };
    }
    const Result<std::string> text = disk.read_all(path);
    if (text.has_error()) return text.error();
    Result<Identity> identity = decode_identity(*text);
    if (identity.has_error()) {
        return Error{
            errc::invalid,
            path + " is damaged: " + identity.error().detail,
            "restore it, or remove the directory and join again with a new token"
        };
    }
    return identity;
}

Result<void> save_identity(Disk& disk, const std::string& state_dir, const Identity& identity) {
    return write_durably(disk, identity_path(state_dir), encode_identity(identity));
}

Result<std::string> load_or_make_key(Disk& disk, const std::string& state_dir) {
    const std::string path = state_dir + "/node.key";
    if (disk.exists(path)) return disk.read_all(path);
    Result<std::string> key = make_key();
    if (key.has_error()) return key;
    Result<void> made = disk.make_directory(state_dir);
    if (made.has_error()) return made.error();
    Result<void> written = write_durably(disk, path, *key);
    if (written.has_error()) return written.error();
    return key;
}

}  // namespace icos::agent
