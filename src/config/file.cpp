// SPDX-License-Identifier: Apache-2.0
#include "config/file.hpp"

#include "config/value.hpp"

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <map>

namespace icos::config {
namespace {

class Reader {
public:
    Reader(const std::string& path, const Sections& sections, std::vector<Problem>& problems)
        : name_(std::filesystem::path(path).filename().string()), sections_(sections), problems_(problems) {}

    void read(const YAML::Node& node, const std::string& section) {
        std::map<std::string, YAML::Mark> seen;
        for (const auto& pair : node) {
            if (!pair.first.IsScalar()) {
                complain(pair.first.Mark(), "a key must be a plain word");
                continue;
            }
            const std::string key = pair.first.Scalar();
            const auto [earlier, is_new] = seen.emplace(key, pair.first.Mark());
            if (!is_new) {
                // The parser would take the last one without a word.
                complain(
                    pair.first.Mark(),
                    (section.empty() ? "" : section + ".") + key + ": given twice, first in line " +
                        std::to_string(earlier->second.line + 1)
                );
                continue;
            }
            const std::string path = section.empty() ? key : section + "." + key;
            if (is_section(path)) {
                if (pair.second.IsNull()) continue;
                if (!pair.second.IsMap()) {
                    complain(pair.second.Mark(), path + ": expected a section with keys");
                    continue;
                }
                read(pair.second, path);
                continue;
            }
            if (!has_key(section, key)) {
                unknown(pair.first.Mark(), section, key);
                continue;
            }
            add(pair.first.Mark(), pair.second, section, key);
        }
    }
    std::vector<Setting> settings;

private:
    std::string place(const YAML::Mark& mark) const {
        return name_ + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
    }
    void complain(const YAML::Mark& mark, std::string message) {
        problems_.push_back({place(mark), std::move(message)});
    }
    /// A section, or a part of a section's path ("modules").
    bool is_section(const std::string& path) const {
        for (const auto& [name, schema] : sections_) {
            if (name == path || name.starts_with(path + ".")) return true;
        }
        return false;
    }
    bool has_key(const std::string& section, const std::string& key) const {
        const auto found = sections_.find(section);
        if (found == sections_.end()) return false;
        for (const Key& known : found->second.keys) {
            if (known.name == key) return true;
        }
        return false;
    }
    void unknown(const YAML::Mark& mark, const std::string& section, const std::string& key) {
        std::vector<std::string> known;
        if (const auto found = sections_.find(section); found != sections_.end()) {
            for (const Key& candidate : found->second.keys) known.push_back(candidate.name);
        }
        const std::string prefix = section.empty() ? "" : section + ".";
        for (const auto& [name, schema] : sections_) {
            if (!name.starts_with(prefix)) continue;
            known.push_back(name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size()));
        }
        const std::string close = nearest(key, known);
        complain(
            mark, prefix + key + ": unknown key" + (close.empty() ? "" : "; did you mean \"" + close + "\"?")
        );
    }
    void add(
        const YAML::Mark& mark, const YAML::Node& value, const std::string& section, const std::string& key
    ) {
        std::string text;
        if (value.IsScalar()) {
            text = value.Scalar();
        } else if (value.IsSequence()) {
            for (const auto& item : value) {
                if (!item.IsScalar())
                    return complain(item.Mark(), section + "." + key + ": expected a list of plain values");
                text += (text.empty() ? "" : ",") + item.Scalar();
            }
        } else if (!value.IsNull()) {
            return complain(value.Mark(), section + "." + key + ": expected a value, not a section");
        }
        settings.push_back(
            {section, key, std::move(text), place(mark), place(value.IsNull() ? mark : value.Mark())}
        );
    }

    std::string name_;
    const Sections& sections_;
    std::vector<Problem>& problems_;
};

}  // namespace

std::vector<Setting> read_file(
    const std::string& path, const Sections& sections, std::vector<Problem>& problems
) {
    try {
        const YAML::Node root = YAML::LoadFile(path);
        if (root.IsNull()) return {};
        if (!root.IsMap()) {
            problems.push_back({path, "expected sections with keys"});
            return {};
        }
        Reader reader(path, sections, problems);
        reader.read(root, "");
        return std::move(reader.settings);
    } catch (const YAML::BadFile&) {
        problems.push_back({path, "cannot be read; does it exist, and may this user read it?"});
    } catch (const YAML::Exception& error) {
        const std::string name = std::filesystem::path(path).filename().string();
        problems.push_back(
            {name + ":" + std::to_string(error.mark.line + 1) + ":" + std::to_string(error.mark.column + 1),
             error.msg}
        );
    }
    return {};
}

}  // namespace icos::config
