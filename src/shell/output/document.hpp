// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/json/value.hpp>

#include <string>

namespace icos::shell {

std::string to_yaml(const boost::json::value& value);
/// Indented by two spaces.
std::string to_pretty_json(const boost::json::value& value);

}  // namespace icos::shell
