// SPDX-License-Identifier: Apache-2.0
#include "compose/service.hpp"
#include "compose/shell_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace icos::descriptor::compose {
namespace {

using boost::json::object;

constexpr std::array<std::string_view, 4> kDeployKeys{"replicas", "resources", "restart_policy", "labels"};
constexpr std::array<std::string_view, 2> kResourceKeys{"limits", "reservations"};
constexpr std::array<std::string_view, 3> kLimitKeys{"cpus", "memory", "pids"};
constexpr std::array<std::string_view, 3> kReservationKeys{"cpus", "memory", "devices"};
constexpr std::array<std::string_view, 4> kDeviceKeys{"driver", "count", "device_ids", "capabilities"};
constexpr std::array<std::string_view, 2> kRestartKeys{"condition", "max_attempts"};
constexpr std::array<std::string_view, 3> kRestartConditions{"none", "on-failure", "any"};
constexpr std::array<std::string_view, 4> kRestarts{"no", "always", "unless-stopped", "on-failure"};
constexpr std::array<std::string_view, 6> kHealthKeys{
    "test", "interval", "timeout", "retries", "start_period", "disable"
};
constexpr std::array<std::string_view, 2> kLoggingKeys{"driver", "options"};
constexpr std::uint64_t kMostReplicas = 1000;
constexpr std::uint64_t kMostRetries = 1'000'000;

/// Writes one limit; the legacy spelling (mem_limit) and deploy.resources must not both say something.
void set(object& map, std::string_view key, std::optional<std::uint64_t> value, const Field& field) {
    if (!value) return;
    if (map.contains(key) && map[key] != boost::json::value(*value)) {
        return field.fail(
            "C002", "the service says this twice, with different values", {.hint = "keep deploy.resources"}
        );
    }
    map[key] = *value;
}

void read_device_requests(const Field& field, Service& service) {
    if (!field.expect_list("C002")) return;
    boost::json::array list;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item = field.item(i);
        if (!item.expect_map("C002")) continue;
        supported_keys(item, kDeviceKeys);
        object device;
        if (const auto driver = item.at("driver")) device["driver"] = text(*driver).value_or("");
        if (const auto count = item.at("count")) {
            if (count->node().is_scalar() && count->node().text == "all") {
                device["count"] = -1;
            } else if (const auto number = whole(*count, 1, 1024)) {
                device["count"] = *number;
            }
        }
        if (const auto ids = item.at("device_ids"))
            device["device_ids"] = texts(*ids, false).value_or(boost::json::array());
        if (device.contains("count") && device.contains("device_ids"))
            item.fail("C002", "count and device_ids exclude each other");
        if (!device.contains("count") && !device.contains("device_ids")) device["count"] = -1;
        const auto capabilities = item.at("capabilities");
        if (!capabilities) {
            item.report().add(
                "C002",
                item.node().first_key(),
                item.path(),
                "devices: capabilities is missing",
                {.hint = "write capabilities: [gpu]"}
            );
            continue;
        }
        device["capabilities"] = texts(*capabilities, false).value_or(boost::json::array());
        list.push_back(std::move(device));
    }
    object_at(service.out, "reservations")["devices"] = std::move(list);
}

void reserve_memory(const Field& field, Service& service) {
    set(object_at(service.out, "reservations"), "memory", bytes(field), field);
    service.reserved_memory = field.node().text;
    service.reservations_line = service.reservations_line.value_or(field.node().at.line);
}

void read_resources(const Field& field, Service& service) {
    if (!field.expect_map("C002")) return;
    supported_keys(field, kResourceKeys);
    if (const auto limits = field.at("limits"); limits && limits->expect_map("C002")) {
        supported_keys(*limits, kLimitKeys);
        object& out = object_at(service.out, "limits");
        if (const auto value = limits->at("cpus")) set(out, "nano_cpus", nano_cpus(*value), *value);
        if (const auto value = limits->at("memory")) set(out, "memory", bytes(*value), *value);
        if (const auto value = limits->at("pids")) set(out, "pids", whole(*value, 1, UINT32_MAX), *value);
    }
    if (const auto reservations = field.at("reservations");
        reservations && reservations->expect_map("C002")) {
        supported_keys(*reservations, kReservationKeys);
        service.reservations_line = reservations->node().at.line;
        object& out = object_at(service.out, "reservations");
        if (const auto value = reservations->at("cpus")) set(out, "nano_cpus", nano_cpus(*value), *value);
        if (const auto value = reservations->at("memory")) reserve_memory(*value, service);
        if (const auto value = reservations->at("devices")) read_device_requests(*value, service);
    }
}

void set_restart(
    std::string_view policy, std::optional<std::uint64_t> retries, const Field& field, Service& service
) {
    if (service.restart_at) {
        return field.fail(
            "C002",
            "restart and deploy.restart_policy say the same thing",
            {.hint = "keep one", .related = {{service.restart_at->line, "the other"}}}
        );
    }
    service.restart_at = field.node().at;
    service.out["restart"] = policy;
    if (retries) service.out["restart_max_retries"] = *retries;
}

void read_restart_policy(const Field& field, Service& service) {
    if (!field.expect_map("C002")) return;
    supported_keys(field, kRestartKeys);
    const auto condition = field.at("condition");
    const std::string word =
        condition ? condition->one_of(kRestartConditions, "C002").value_or("any") : "any";
    std::optional<std::uint64_t> retries;
    if (const auto attempts = field.at("max_attempts")) {
        retries = whole(*attempts, 0, kMostRetries);
        if (word != "on-failure")
            attempts->fail("C002", "max_attempts counts only with condition: on-failure");
    }
    set_restart(word == "none" ? "no" : word == "any" ? "always" : "on-failure", retries, field, service);
}

boost::json::array read_test(const Field& field) {
    boost::json::array test;
    if (field.node().is_scalar()) return {"CMD-SHELL", field.node().text};
    if (!field.expect_list("C002")) return test;
    test = texts(field, false).value_or(test);
    const std::string kind =
        test.empty() || !test[0].is_string() ? std::string() : std::string(test[0].as_string());
    if (kind != "CMD" && kind != "CMD-SHELL" && kind != "NONE") {
        field.fail("C002", "a list starts with CMD, CMD-SHELL or NONE", {.hint = "write [\"CMD\", ...]"});
    } else if ((kind == "CMD" && test.size() < 2) || (kind == "CMD-SHELL" && test.size() != 2)) {
        field.fail(
            "C002", fmt::format("{} needs {}", kind, kind == "CMD" ? "a command" : "exactly one string")
        );
    }
    return test;
}

}  // namespace

void read_deploy(const Field& field, Service& service) {
    if (!field.expect_map("C002")) return;
    supported_keys(field, kDeployKeys);
    if (const auto replicas = field.at("replicas")) {
        const auto count = whole(*replicas, 0, kMostReplicas);
        set(service.out, "replicas", count, *replicas);
        service.replicas = count.value_or(1);
    }
    if (const auto resources = field.at("resources")) read_resources(*resources, service);
    if (const auto policy = field.at("restart_policy")) read_restart_policy(*policy, service);
    // Labels of a deployment and of its containers meet on the same container here.
    if (const auto own = field.at("labels")) {
        if (const auto map = labels(*own)) {
            object& out = object_at(service.out, "labels");
            for (const auto& [key, value] : *map) out.emplace(key, value);
        }
    }
}

void read_limit(const Field& field, Service& service) {
    const std::string& key = field.path();
    // The reference from object_at lives until the service gets another member, so each branch asks for its
    // own.
    if (key.ends_with(".mem_reservation")) return reserve_memory(field, service);
    if (key.ends_with(".scale")) {
        const auto count = whole(field, 0, kMostReplicas);
        set(service.out, "replicas", count, field);
        service.replicas = count.value_or(1);
        return;
    }
    object& limits = object_at(service.out, "limits");
    if (key.ends_with(".cpus")) set(limits, "nano_cpus", nano_cpus(field), field);
    if (key.ends_with(".mem_limit")) set(limits, "memory", bytes(field), field);
    if (key.ends_with(".pids_limit")) set(limits, "pids", whole(field, 1, UINT32_MAX), field);
}

void read_healthcheck(const Field& field, Service& service) {
    if (!field.expect_map("C002")) return;
    supported_keys(field, kHealthKeys);
    object check;
    if (const auto disable = field.at("disable"); disable && flag(*disable).value_or(false)) {
        if (field.at("test")) disable->fail("C002", "disable and test exclude each other");
        service.out["healthcheck"] = object{{"test", boost::json::array{"NONE"}}};
        return;
    }
    if (const auto test = field.at("test")) check["test"] = read_test(*test);
    const auto duration = [&](std::string_view key, std::string_view name) {
        const auto value = field.at(key);
        if (!value) return;
        if (const auto ns = nanoseconds(*value)) check[name] = *ns;
    };
    duration("interval", "interval_ns");
    duration("timeout", "timeout_ns");
    duration("start_period", "start_period_ns");
    if (const auto retries = field.at("retries")) {
        if (const auto count = whole(*retries, 1, kMostRetries)) check["retries"] = *count;
    }
    service.out["healthcheck"] = std::move(check);
}

void read_restart(const Field& field, Service& service) {
    const auto written = text(field);
    if (!written) return;
    const std::size_t colon = written->find(':');
    const std::string policy = written->substr(0, colon);
    std::uint64_t count = 0;
    const bool counted = colon != std::string::npos;
    const bool good = std::find(kRestarts.begin(), kRestarts.end(), policy) != kRestarts.end() &&
                      (!counted || (policy == "on-failure" &&
                                    parse_uint(std::string_view(*written).substr(colon + 1), count) &&
                                    count <= kMostRetries));
    if (!good)
        return field.fail(
            "C002",
            fmt::format("unknown value \"{}\" ({} or on-failure:N)", *written, enumerate(kRestarts)),
            {.hint = *written == "false" ? "write \"no\"" : ""}
        );
    set_restart(policy, counted ? std::optional(count) : std::nullopt, field, service);
}

void read_logging(const Field& field, Service& service) {
    if (!field.expect_map("C002")) return;
    supported_keys(field, kLoggingKeys);
    object logging;
    if (const auto driver = field.at("driver")) logging["driver"] = text(*driver).value_or("");
    if (const auto options = field.at("options"); options && options->expect_map("C002")) {
        if (auto map = string_map(*options)) logging["options"] = std::move(*map);
    }
    service.out["logging"] = std::move(logging);
}

}  // namespace icos::descriptor::compose
