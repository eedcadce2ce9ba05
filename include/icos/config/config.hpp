// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/config/view.hpp"

#include <functional>

namespace icos::config {

/// Section path -> schema: "listeners", "log", "modules.fleet".
using Sections = std::map<std::string, Schema, std::less<>>;

struct Source {
    std::string file;                         ///< YAML; empty = none
    std::string drop_in_directory;            ///< conf.d beside it: *.yaml in name order, later wins
    std::string environment_prefix = "ICOS";  ///< ICOS_SECTION_KEY=value
    std::map<std::string, std::string> environment;
    std::vector<std::string> sets;  ///< "section.key=value", strongest
};

/// One problem with its place: "controller.yaml:12:5: listeners.port: expected an integer in 0..65535, got
/// "x"".
struct Problem {
    std::string place;
    std::string message;
};

struct Config {
    std::map<std::string, View, std::less<>> sections;
    const View& section(std::string_view path) const;
};

/// All problems at once: unknown sections and keys with the nearest known one, wrong types, values out of
/// bounds.
struct Loaded {
    std::optional<Config> config;
    std::vector<Problem> problems;
};
Loaded load(const Sections& sections, const Source& source);

/// Every key, commented, with its default: what config/*.yaml holds.
std::string render_default_file(const Sections& sections, std::string_view title);
/// docs/configuration.md of the sections.
std::string render_reference(const Sections& sections, std::string_view title);

}  // namespace icos::config
