// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"
#include "nearest.hpp"
#include "quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

namespace icos::descriptor::header {
namespace {

constexpr std::array<std::string_view, 5> kKeys{"architecture", "cpu", "memory", "devices", "nodelabel"};

struct Architecture {
    std::string_view written;
    std::string_view meant;
};
constexpr std::array<Architecture, 6> kArchitectures{{
    {"intel", "x86_64"},
    {"x86_64", "x86_64"},
    {"amd64", "x86_64"},
    {"x86-64", "x86_64"},
    {"arm64", "arm64"},
    {"aarch64", "arm64"},
}};

std::optional<std::string> read_architecture(const Field& field) {
    if (!field.node().is_scalar()) {
        field.wrong_type("string");
        return std::nullopt;
    }
    std::array<std::string_view, kArchitectures.size()> words{};
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (kArchitectures[i].written == field.node().text) return std::string(kArchitectures[i].meant);
        words[i] = kArchitectures[i].written;
    }
    field.fail(
        "E041",
        fmt::format("unknown architecture \"{}\" (intel, x86_64, arm64, aarch64)", field.node().text),
        {.hint = did_you_mean(field.node().text, words)}
    );
    return std::nullopt;
}

std::optional<Quantity> read_quantity(const Field& field, QuantityReading (*read)(std::string_view)) {
    if (!field.node().is_scalar()) {
        field.wrong_type("quantity");
        return std::nullopt;
    }
    const QuantityReading reading = read(field.node().text);
    if (!reading.value) {
        field.fail(reading.code, reading.message, {.hint = reading.hint});
        return std::nullopt;
    }
    if (!reading.message.empty()) field.fail("W044", reading.message);
    return Quantity{*reading.value, field.node().text};
}

std::vector<std::string> read_devices(const Field& field) {
    auto devices = field.strings("E046");
    if (!devices) return {};
    if (std::any_of(devices->begin(), devices->end(), [](const std::string& d) { return d.empty(); })) {
        field.fail("E046", "a device without a name");
        return {};
    }
    return std::move(*devices);
}

std::optional<NodeLabel> read_node_label(const Field& field) {
    if (!field.node().is_map()) {
        field.wrong_type("map with key and values", "E047");
        return std::nullopt;
    }
    NodeLabel label;
    const Member* values = nullptr;
    for (const Member& member : field.node().members) {
        const std::string& key = member.key.text;
        if (key != "key" && key != "values" && key != "value") {
            constexpr std::array<std::string_view, 2> kKnown{"key", "values"};
            field.report().add(
                "E047",
                member.key.at,
                child(field.path(), key),
                fmt::format("nodelabel: unknown key \"{}\"", key),
                {.hint = did_you_mean(key, kKnown)}
            );
        } else if (key != "key" && values != nullptr) {
            field.report().add(
                "E047",
                member.key.at,
                child(field.path(), key),
                "nodelabel: `value` and `values` are the same"
            );
        } else if (key != "key") {
            values = &member;
        }
    }
    const auto key = field.at("key");
    if (!key || values == nullptr || values->value.is_null()) {
        field.report().add(
            "E047",
            field.node().first_key(),
            field.path(),
            fmt::format("nodelabel: {} is missing", !key ? "key" : "values"),
            {.hint = "write {key: K, values: [V]}"}
        );
        return std::nullopt;
    }
    auto text = key->string();
    const Field list(values->value, child(field.path(), values->key.text), values->key.text, field.report());
    auto strings = list.strings(list.node().is_sequence() && list.node().items.empty() ? "E048" : "E011");
    if (!text || !strings) return std::nullopt;
    std::unordered_map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < strings->size(); ++i) {
        const Field item = list.node().is_sequence() ? list.item(i) : list;
        const auto [first, is_new] = seen.emplace((*strings)[i], item.node().at.line);
        if ((*strings)[i].empty()) item.fail("E048", "an empty value");
        if (!is_new)
            item.fail(
                "E048",
                fmt::format("\"{}\" is given twice", (*strings)[i]),
                {.hint = {}, .related = {{first->second, "first given here"}}}
            );
    }
    return NodeLabel{std::move(*text), std::move(*strings)};
}

}  // namespace

std::optional<Quantity> read_memory_quantity(const Field& field) {
    return read_quantity(field, read_memory);
}

void read_requirements(const Field& field, ComponentDraft& draft) {
    Requirements& requirements = draft.component.requirements;
    field.known_keys(kKeys, "E040");
    if (const auto value = field.at("architecture")) requirements.architecture = read_architecture(*value);
    if (const auto value = field.at("cpu")) {
        draft.cpu_at = value->node().at;
        requirements.cpu = read_quantity(*value, read_cpu);
    }
    if (const auto value = field.at("memory")) {
        draft.memory_at = value->node().at;
        requirements.memory = read_memory_quantity(*value);
    }
    if (const auto value = field.at("devices")) requirements.devices = read_devices(*value);
    if (const auto value = field.at("nodelabel")) requirements.node_label = read_node_label(*value);
}

}  // namespace icos::descriptor::header
