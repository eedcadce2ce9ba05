// SPDX-License-Identifier: Apache-2.0
#include "output/document.hpp"

#include <boost/json/serialize.hpp>
#include <yaml-cpp/emitter.h>
#include <yaml-cpp/emittermanip.h>
#include <yaml-cpp/node/convert.h>
#include <yaml-cpp/yaml.h>

namespace icos::shell {
namespace {

/// A string that YAML would read back as something else is quoted.
bool reads_as_other_type(const std::string& text) {
    if (text.empty() || text == "~" || text == "null" || text == "true" || text == "false") return true;
    for (const std::string_view word :
         {"yes", "no", "on", "off", "y", "n", "Null", "NULL", "True", "False"}) {
        if (text == word) return true;
    }
    return text.find_first_not_of("0123456789+-.eE_:xo") == std::string::npos;
}

void emit(YAML::Emitter& out, const boost::json::value& value) {
    if (const auto* object = value.if_object()) {
        if (object->empty()) out << YAML::Flow;
        out << YAML::BeginMap;
        for (const auto& pair : *object) {
            out << YAML::Key << std::string(pair.key()) << YAML::Value;
            emit(out, pair.value());
        }
        out << YAML::EndMap;
    } else if (const auto* array = value.if_array()) {
        if (array->empty()) out << YAML::Flow;
        out << YAML::BeginSeq;
        for (const auto& item : *array) emit(out, item);
        out << YAML::EndSeq;
    } else if (const auto* text = value.if_string()) {
        const std::string copy(*text);
        if (reads_as_other_type(copy)) out << YAML::DoubleQuoted;
        out << copy;
    } else if (value.is_null()) {
        out << YAML::Null;
    } else if (value.is_bool()) {
        out << value.get_bool();
    } else {
        out << boost::json::serialize(value);
    }
}

void pretty(std::string& out, const boost::json::value& value, std::size_t depth) {
    const std::string inner((depth + 1) * 2, ' ');
    const std::string outer(depth * 2, ' ');
    if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
        out += "{\n";
        bool first = true;
        for (const auto& pair : *object) {
            if (!first) out += ",\n";
            first = false;
            out += inner + boost::json::serialize(boost::json::string(pair.key())) + ": ";
            pretty(out, pair.value(), depth + 1);
        }
        out += "\n" + outer + "}";
    } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
        out += "[\n";
        bool first = true;
        for (const auto& item : *array) {
            if (!first) out += ",\n";
            first = false;
            out += inner;
            pretty(out, item, depth + 1);
        }
        out += "\n" + outer + "]";
    } else {
        out += boost::json::serialize(value);
    }
}

}  // namespace

std::string to_yaml(const boost::json::value& value) {
    YAML::Emitter out;
    emit(out, value);
    return std::string(out.c_str()) + "\n";
}

std::string to_pretty_json(const boost::json::value& value) {
    std::string out;
    pretty(out, value, 0);
    return out + "\n";
}

}  // namespace icos::shell
