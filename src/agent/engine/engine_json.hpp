// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Reading the engine's answers. Lenient: what is absent or of another type takes the struct's default, since
/// versions and engines differ in what they send. Pure.
namespace icos::agent {

/// Members of nested objects; empty, 0 or nullptr when any step of the path is missing.
std::string_view text_at(const boost::json::value& value, std::string_view pointer);
std::int64_t integer_at(const boost::json::value& value, std::string_view pointer);
bool flag_at(const boost::json::value& value, std::string_view pointer);
const boost::json::object* object_at(const boost::json::value& value, std::string_view pointer);
const boost::json::array* array_at(const boost::json::value& value, std::string_view pointer);

/// Answer of GET /containers/{id}/json.
ContainerState container_state(const boost::json::value& inspected);
/// Answer of GET /images/{name}/json.
ImageState image_state(const boost::json::value& inspected);
/// One object of GET /events.
EngineEvent engine_event(const boost::json::value& event);
/// "x86_64", "arm64", or the engine's own word.
std::string normal_architecture(std::string_view word);
LabelMap label_map(const boost::json::object* labels);

/// The API version to speak with an engine that offers [oldest, newest]: ours (1.40 to 1.43) if it can, else
/// its oldest. nullopt when the engine is older than 1.40.
std::optional<std::string> negotiate_api(std::string_view newest, std::string_view oldest);

/// `filters` query value: {"label":["a=b","c"]}, a label with an empty value asks for its presence.
std::string label_filter(const LabelMap& labels, std::string_view type = {});

}  // namespace icos::agent
