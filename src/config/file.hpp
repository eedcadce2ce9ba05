// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/config/config.hpp"

#include <string>
#include <vector>

namespace icos::config {

/// One `section.key = value` with where it stands. Lists are joined with commas.
struct Setting {
    std::string section;
    std::string key;
    std::string value;
    std::string place;  ///< of the key: "controller.yaml:12:5"
    std::string value_place;
};

/// Reads a YAML file into settings of the known sections; what cannot be one goes to `problems`.
std::vector<Setting> read_file(
    const std::string& path, const Sections& sections, std::vector<Problem>& problems
);

}  // namespace icos::config
