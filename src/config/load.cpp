// SPDX-License-Identifier: Apache-2.0
#include "config/file.hpp"
#include "config/value.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <stdexcept>

namespace icos::config {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

const Key* find_key(const Sections& sections, std::string_view section, std::string_view key) {
    const auto found = sections.find(section);
    if (found == sections.end()) return nullptr;
    for (const Key& candidate : found->second.keys) {
        if (candidate.name == key) return &candidate;
    }
    return nullptr;
}

std::string variable_of(const std::string& prefix, const std::string& section, const std::string& key) {
    std::string name = prefix + "_" + section + "_" + key;
    for (char& c : name) c = c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

std::vector<std::string> drop_ins(const std::string& directory) {
    std::vector<std::string> paths;
    std::error_code ignored;  // a directory that is not there holds nothing
    for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
        if (entry.path().extension() == ".yaml") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

/// "section.key=value": the section is everything before the last dot of the left side.
std::optional<Setting> parse_set(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const std::string left = text.substr(0, equals);
    const std::size_t dot = left.rfind('.');
    if (dot == std::string::npos) return std::nullopt;
    const std::string place = "--set " + left;
    return Setting{left.substr(0, dot), left.substr(dot + 1), text.substr(equals + 1), place, place};
}

}  // namespace

const View& Config::section(std::string_view path) const {
    const auto found = sections.find(path);
    if (found == sections.end())
        throw std::logic_error("no configuration section '" + std::string(path) + "'");
    return found->second;
}

Loaded load(const Sections& sections, const Source& source) {
    Loaded loaded;
    std::vector<Setting> settings;
    const auto add_file = [&](const std::string& path) {
        for (Setting& setting : read_file(path, sections, loaded.problems))
            settings.push_back(std::move(setting));
    };
    if (!source.file.empty()) add_file(source.file);
    if (!source.drop_in_directory.empty()) {
        for (const std::string& path : drop_ins(source.drop_in_directory)) add_file(path);
    }
    for (const auto& [section, schema] : sections) {
        for (const Key& key : schema.keys) {
            const std::string name = variable_of(source.environment_prefix, section, key.name);
            if (const auto found = source.environment.find(name); found != source.environment.end()) {
                settings.push_back({section, key.name, found->second, name, name});
            }
        }
    }
    for (const std::string& text : source.sets) {
        std::optional<Setting> setting = parse_set(text);
        if (!setting) {
            loaded.problems.push_back({"--set " + text, "expected section.key=value"});
        } else if (find_key(sections, setting->section, setting->key) == nullptr) {
            std::vector<std::string> known;
            for (const auto& [section, schema] : sections) {
                for (const Key& key : schema.keys) known.push_back(section + "." + key.name);
            }
            const std::string close = nearest(setting->section + "." + setting->key, known);
            loaded.problems.push_back(
                {setting->place, "unknown key" + (close.empty() ? "" : "; did you mean \"" + close + "\"?")}
            );
        } else {
            settings.push_back(std::move(*setting));
        }
    }

    std::map<std::string, std::shared_ptr<Values>, std::less<>> values;
    for (const auto& [section, schema] : sections) {
        auto& map = values[section] = std::make_shared<Values>();
        for (const Key& key : schema.keys) map->emplace(key.name, key.fallback);
    }
    for (const Setting& setting : settings) {
        const Key* key = find_key(sections, setting.section, setting.key);
        if (const auto expected = mismatch(*key, setting.value)) {
            loaded.problems.push_back(
                {setting.value_place,
                 setting.section + "." + setting.key + ": expected " + *expected + ", got \"" +
                     setting.value + "\""}
            );
            continue;
        }
        (*values[setting.section])[setting.key] = setting.value;
    }
    if (!loaded.problems.empty()) return loaded;
    loaded.config.emplace();
    for (auto& [section, map] : values) loaded.config->sections.emplace(section, View(map));
    return loaded;
}

}  // namespace icos::config
