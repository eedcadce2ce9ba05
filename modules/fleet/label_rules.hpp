// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/error.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What names, labels and devices may look like. Labels follow the rules of Kubernetes, so that one label
/// means the same on every kind of target. Pure.
namespace icos::fleet {

using Labels = std::map<std::string, std::string>;

/// `[prefix/]name`, also the form of device resource names ("nvidia.com/gpu").
bool is_label_key(std::string_view text) noexcept;
bool is_label_value(std::string_view text) noexcept;
/// RFC 1123 subdomain: what host names and Kubernetes node names are.
bool is_node_name(std::string_view text) noexcept;

/// node.invalid_label with `place` ("labels") and the key.
Result<void> check_label(std::string_view place, const std::string& key, const std::string& value);
Result<void> check_labels(std::string_view place, const Labels& labels);
/// node.invalid with the place: a resource name, and an absolute path or none; no name and path twice.
Result<void> check_devices(std::string_view place, const std::vector<agent::Device>& devices);
/// node.invalid with what a name may be.
Result<void> check_name(std::string_view place, const std::string& name);

}  // namespace icos::fleet
