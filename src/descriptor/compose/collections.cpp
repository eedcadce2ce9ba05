// SPDX-License-Identifier: Apache-2.0
#include "compose/service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace icos::descriptor::compose {
namespace {

using boost::json::object;

constexpr std::array<std::string_view, 2> kNetworkKeys{"aliases", "ipv4_address"};
constexpr std::array<std::string_view, 2> kNetworkModes{"host", "none"};
constexpr std::array<std::string_view, 2> kDependencyKeys{"condition", "required"};
constexpr std::array<std::string_view, 3> kConditions{
    "service_started", "service_healthy", "service_completed_successfully"
};
constexpr std::array<std::string_view, 2> kUlimitKeys{"soft", "hard"};
constexpr std::array<std::string_view, 2> kReservedLabels{"app.icos.eu/", "icos.eu/"};

/// -1 stands for unlimited.
std::optional<std::int64_t> ulimit(const Field& field) {
    if (field.node().is_scalar() && field.node().text == "-1") return -1;
    const auto value = whole(field, 0, INT64_MAX);
    return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

}  // namespace

object& object_at(object& parent, std::string_view key) {
    if (!parent.contains(key)) parent[key] = object();
    return parent[key].as_object();
}

std::optional<object> string_map(const Field& field) {
    if (!field.node().is_map() && !field.node().is_sequence()) {
        field.wrong_type("map or list", "C002");
        return std::nullopt;
    }
    object map;
    for (Pair& pair : pairs(field, "=")) map[pair.key] = std::move(pair.value).value_or("");
    return map;
}

std::optional<object> labels(const Field& field) {
    auto map = string_map(field);
    if (!map) return std::nullopt;
    for (const Pair& pair : pairs(field, "=")) {
        for (const std::string_view prefix : kReservedLabels) {
            if (pair.key.starts_with(prefix))
                pair.field.fail(
                    "C002",
                    fmt::format("label \"{}\" belongs to the system", pair.key),
                    {.hint = "use another prefix"}
                );
        }
    }
    return map;
}

void read_environment(const Field& field, Service& service) {
    if (!field.node().is_map() && !field.node().is_sequence()) return field.wrong_type("map or list", "C002");
    object map;
    for (Pair& pair : pairs(field, "=")) {
        if (pair.value) {
            map[pair.key] = std::move(*pair.value);
        } else {
            pair.field.fail(
                "C101",
                fmt::format(
                    "\"{}\" has no value and there is no environment to take it from: dropped", pair.key
                ),
                {.hint = "give a value, or \"\""}
            );
        }
    }
    service.out["environment"] = std::move(map);
}

void read_labels(const Field& field, Service& service) {
    if (auto map = labels(field)) service.out["labels"] = std::move(*map);
}

void read_sysctls(const Field& field, Service& service) {
    if (auto map = string_map(field)) service.out["sysctls"] = std::move(*map);
}

void read_extra_hosts(const Field& field, Service& service) {
    boost::json::array list;
    const auto add = [&](const Field& at, const std::string& host, std::string ip) {
        if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
        if (ip.empty())
            return at.fail(
                "C002", fmt::format("host \"{}\" has no address", host), {.hint = "write HOST:ADDRESS"}
            );
        list.emplace_back(fmt::format("{}:{}", host, ip));
    };
    if (field.node().is_map()) {
        for (const Member& member : field.node().members) {
            const Field value(
                member.value, child(field.path(), member.key.text), "extra_hosts", field.report()
            );
            if (const auto ips = texts(value, true)) {
                for (const auto& ip : *ips) add(value, member.key.text, std::string(ip.as_string()));
            }
        }
    } else {
        for (const Pair& pair : pairs(field, "=:")) add(pair.field, pair.key, pair.value.value_or(""));
    }
    service.out["extra_hosts"] = std::move(list);
}

void read_ulimits(const Field& field, Service& service) {
    if (!field.expect_map("C002")) return;
    object limits;
    for (const Member& member : field.node().members) {
        const Field value(
            member.value, child(field.path(), member.key.text), member.key.text, field.report()
        );
        std::optional<std::int64_t> soft;
        std::optional<std::int64_t> hard;
        if (member.value.is_map()) {
            supported_keys(value, kUlimitKeys);
            const auto low = value.at("soft");
            const auto high = value.at("hard");
            if (!low || !high) {
                value.fail("C002", "soft and hard are both needed");
                continue;
            }
            soft = ulimit(*low);
            hard = ulimit(*high);
        } else {
            soft = hard = ulimit(value);
        }
        if (soft && hard) limits[member.key.text] = object{{"soft", *soft}, {"hard", *hard}};
    }
    service.out["ulimits"] = std::move(limits);
}

void read_networks(const Field& field, Service& service) {
    object networks;
    if (field.node().is_sequence()) {
        for (std::size_t i = 0; i < field.node().items.size(); ++i) {
            const Field item = field.item(i);
            if (const auto name = text(item)) {
                networks[*name] = object();
                service.networks.push_back({*name, item.node().at, item.path()});
            }
        }
    } else {
        if (!field.node().is_map()) return field.wrong_type("map or list", "C002");
        for (const Member& member : field.node().members) {
            const Field value(
                member.value, child(field.path(), member.key.text), member.key.text, field.report()
            );
            object settings;
            if (!member.value.is_null() && value.expect_map("C002")) {
                supported_keys(value, kNetworkKeys);
                if (const auto aliases = value.at("aliases"))
                    settings["aliases"] = texts(*aliases, false).value_or(boost::json::array());
                if (const auto address = value.at("ipv4_address"))
                    settings["ipv4_address"] = text(*address).value_or("");
            }
            networks[member.key.text] = std::move(settings);
            service.networks.push_back({member.key.text, member.key.at, value.path()});
        }
    }
    service.out["networks"] = std::move(networks);
}

void read_network_mode(const Field& field, Service& service) {
    if (const auto mode = field.one_of(kNetworkModes, "C002")) service.out["network_mode"] = *mode;
}

void read_depends_on(const Field& field, Service& service) {
    object dependencies;
    const auto add = [&](const std::string& name,
                         Position at,
                         const std::string& path,
                         std::string_view condition,
                         bool required) {
        dependencies[name] = object{{"condition", condition}, {"required", required}};
        service.dependencies.push_back({name, at, path});
    };
    if (field.node().is_sequence()) {
        for (std::size_t i = 0; i < field.node().items.size(); ++i) {
            const Field item = field.item(i);
            if (const auto name = text(item))
                add(*name, item.node().at, item.path(), "service_started", true);
        }
    } else {
        if (!field.node().is_map()) return field.wrong_type("map or list", "C002");
        for (const Member& member : field.node().members) {
            const Field value(
                member.value, child(field.path(), member.key.text), member.key.text, field.report()
            );
            std::string condition = "service_started";
            bool required = true;
            if (!member.value.is_null() && value.expect_map("C002")) {
                supported_keys(value, kDependencyKeys);
                if (const auto word = value.at("condition"))
                    condition = word->one_of(kConditions, "C002").value_or(condition);
                if (const auto word = value.at("required")) required = flag(*word).value_or(true);
            }
            add(member.key.text, member.key.at, value.path(), condition, required);
        }
    }
    service.out["depends_on"] = std::move(dependencies);
}

}  // namespace icos::descriptor::compose
