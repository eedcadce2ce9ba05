// SPDX-License-Identifier: Apache-2.0
#include "request_body.hpp"

#include "error.hpp"
#include "icos/http/router.hpp"
#include "label_rules.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <initializer_list>

namespace icos::fleet {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxUses = 1000;
constexpr Duration kShortestToken{std::chrono::seconds(1)};
constexpr Duration kLongestToken{std::chrono::hours(24 * 30)};
constexpr std::size_t kMaxLocation = 256;
constexpr std::size_t kMaxLabels = 64;
constexpr std::size_t kMaxDevices = 64;

Error expected(std::string_view place, std::string_view what) {
    return Error{errc::invalid, std::string(place) + ": expected " + std::string(what)};
}

Result<json::object> parse(std::string_view body) {
    if (body.empty()) return json::object();
    boost::system::error_code failed;
    json::value value = json::parse(json::string_view(body.data(), body.size()), failed);
    if (failed) return Error{http::errc::bad_request, "the body is not JSON: " + failed.message()};
    if (!value.is_object()) return Error{http::errc::bad_request, "the body is not a JSON object"};
    return std::move(value.get_object());
}

Result<void> only(
    const json::object& object, std::string_view place, std::initializer_list<std::string_view> known
) {
    for (const auto& member : object) {
        const std::string_view key(member.key().data(), member.key().size());
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        std::string names;
        for (const std::string_view name : known) names += (names.empty() ? "" : ", ") + std::string(name);
        return Error{
            errc::invalid, std::string(place) + std::string(key) + ": unknown member", "known are " + names
        };
    }
    return {};
}

Result<std::string> text(const json::value& value, std::string_view place) {
    const json::string* string = value.if_string();
    if (string == nullptr) return expected(place, "a string");
    return std::string(string->data(), string->size());
}

Result<std::map<std::string, std::optional<std::string>>> read_labels(
    const json::value& value, bool removals
) {
    const json::object* object = value.if_object();
    if (object == nullptr) return Error{errc::invalid_label, "labels: expected an object"};
    if (object->size() > kMaxLabels)
        return Error{errc::invalid_label, "labels: at most " + std::to_string(kMaxLabels) + " labels"};
    std::map<std::string, std::optional<std::string>> out;
    for (const auto& member : *object) {
        std::string key(member.key().data(), member.key().size());
        if (member.value().is_null() && removals) {
            if (Result<void> checked = check_label("labels", key, ""); checked.has_error())
                return checked.error();
            out.emplace(std::move(key), std::nullopt);
            continue;
        }
        const json::string* string = member.value().if_string();
        if (string == nullptr) {
            return Error{
                errc::invalid_label,
                "labels." + key + ": expected a string" + (removals ? ", or null to remove the label" : "")
            };
        }
        std::string label(string->data(), string->size());
        if (Result<void> checked = check_label("labels", key, label); checked.has_error())
            return checked.error();
        out.emplace(std::move(key), std::move(label));
    }
    return out;
}

Result<std::vector<agent::Device>> read_devices(const json::value& value) {
    const json::array* list = value.if_array();
    if (list == nullptr) return expected("devices", "a list of {name, path}");
    if (list->size() > kMaxDevices) return expected("devices", "at most " + std::to_string(kMaxDevices));
    std::vector<agent::Device> out;
    for (std::size_t i = 0; i < list->size(); ++i) {
        const std::string place = "devices[" + std::to_string(i) + "]";
        const json::object* object = (*list)[i].if_object();
        if (object == nullptr) return expected(place, "{name, path}");
        if (Result<void> known = only(*object, place + ".", {"name", "path"}); known.has_error())
            return known.error();
        agent::Device device;
        const json::value* name = object->if_contains("name");
        if (name == nullptr) return expected(place + ".name", "a string");
        Result<std::string> read = text(*name, place + ".name");
        if (read.has_error()) return read.error();
        device.name = std::move(*read);
        if (const json::value* path = object->if_contains("path")) {
            read = text(*path, place + ".path");
            if (read.has_error()) return read.error();
            device.path = std::move(*read);
        }
        out.push_back(std::move(device));
    }
    if (Result<void> checked = check_devices("devices", out); checked.has_error()) return checked.error();
    return out;
}

}  // namespace

Result<TokenRequest> read_token_request(std::string_view body) {
    const Result<json::object> object = parse(body);
    if (object.has_error()) return object.error();
    if (Result<void> known =
            only(*object, "", {"expires_in", "uses", "cluster", "labels", "devices", "replaces"});
        known.has_error())
        return known.error();
    TokenRequest request;
    if (const json::value* value = object->if_contains("expires_in")) {
        const Result<std::string> read = text(*value, "expires_in");
        if (read.has_error()) return read.error();
        request.expires_in = parse_duration(*read);
        if (!request.expires_in || *request.expires_in < kShortestToken ||
            *request.expires_in > kLongestToken)
            return expected("expires_in", "a duration from 1s to 30d, for example 1h");
    }
    if (const json::value* value = object->if_contains("uses")) {
        boost::system::error_code failed;
        const auto uses = value->to_number<std::int64_t>(failed);
        if (failed || uses < 1 || uses > kMaxUses)
            return expected("uses", "an integer from 1 to " + std::to_string(kMaxUses));
        request.uses = static_cast<std::uint32_t>(uses);
    }
    if (const json::value* value = object->if_contains("cluster")) {
        Result<std::string> read = text(*value, "cluster");
        if (read.has_error()) return read.error();
        if (!read->empty()) {
            if (Result<void> checked = check_name("cluster", *read); checked.has_error())
                return checked.error();
        }
        request.cluster = std::move(*read);
    }
    if (const json::value* value = object->if_contains("labels")) {
        Result<std::map<std::string, std::optional<std::string>>> labels = read_labels(*value, false);
        if (labels.has_error()) return labels.error();
        for (auto& [key, label] : *labels) request.labels.emplace(key, label.value_or(""));
    }
    if (const json::value* value = object->if_contains("devices")) {
        Result<std::vector<agent::Device>> devices = read_devices(*value);
        if (devices.has_error()) return devices.error();
        request.devices = std::move(*devices);
    }
    if (const json::value* value = object->if_contains("replaces")) {
        Result<std::string> read = text(*value, "replaces");
        if (read.has_error()) return read.error();
        request.replaces = std::move(*read);
        if (!request.replaces.empty() && (request.uses != 1 || !request.cluster.empty() ||
                                          !request.labels.empty() || !request.devices.empty())) {
            return Error{
                errc::invalid,
                "replaces: the node keeps its cluster, labels and devices, and only one machine can become "
                "it",
                "leave uses, cluster, labels and devices out; icos node label|set changes them"
            };
        }
    }
    return request;
}

Result<NodeChange> read_node_change(std::string_view body) {
    const Result<json::object> object = parse(body);
    if (object.has_error()) return object.error();
    if (Result<void> known =
            only(*object, "", {"labels", "location", "devices", "cordoned", "draining", "confirmed_lost"});
        known.has_error())
        return known.error();
    NodeChange change;
    if (const json::value* value = object->if_contains("labels")) {
        Result<std::map<std::string, std::optional<std::string>>> labels = read_labels(*value, true);
        if (labels.has_error()) return labels.error();
        change.labels = std::move(*labels);
    }
    if (const json::value* value = object->if_contains("location")) {
        Result<std::string> read = text(*value, "location");
        if (read.has_error()) return read.error();
        if (read->size() > kMaxLocation) return expected("location", "at most 256 bytes");
        change.location = std::move(*read);
    }
    if (const json::value* value = object->if_contains("devices")) {
        Result<std::vector<agent::Device>> devices = read_devices(*value);
        if (devices.has_error()) return devices.error();
        change.devices = std::move(*devices);
    }
    if (const json::value* value = object->if_contains("cordoned")) {
        if (!value->is_bool()) return expected("cordoned", "true or false");
        change.cordoned = value->get_bool();
    }
    if (const json::value* value = object->if_contains("draining")) {
        if (!value->is_bool()) return expected("draining", "true or false");
        change.draining = value->get_bool();
    }
    if (const json::value* value = object->if_contains("confirmed_lost")) {
        if (!value->is_bool()) return expected("confirmed_lost", "true or false");
        change.confirmed_lost = value->get_bool();
    }
    return change;
}

}  // namespace icos::fleet
