// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"
#include "icos/core/daily_window.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

namespace icos::descriptor::header {
namespace {

constexpr std::array<std::string_view, 10> kKeys{
    "version",
    "replicas",
    "spread",
    "antiAffinity",
    "onNodeLoss",
    "update",
    "maxStaleness",
    "registryCredentials",
    "window",
    "pull"
};
constexpr std::array<std::string_view, 2> kSpreadKeys{"by", "max"};
constexpr std::array<std::string_view, 2> kUpdateKeys{"order", "healthTimeout"};
constexpr std::array<std::string_view, 3> kOnNodeLoss{"replace", "exclusive", "keep"};
constexpr std::array<std::string_view, 2> kOrders{"start-first", "stop-first"};
constexpr std::array<std::string_view, 3> kPull{"always", "missing", "never"};
constexpr std::uint64_t kMostReplicas = 1000;

std::optional<std::uint32_t> read_count(const Field& field) {
    const auto value = field.integer(1, kMostReplicas);
    return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

std::optional<std::uint32_t> read_duration(const Field& field) {
    const auto ms = field.node().is_scalar() ? prometheus_duration_ms(field.node().text) : std::nullopt;
    if (ms && *ms <= std::numeric_limits<std::uint32_t>::max()) return static_cast<std::uint32_t>(*ms);
    field.fail(
        "E068",
        field.node().is_scalar()
            ? fmt::format("\"{}\" is not a duration of at most 7 weeks", field.node().text)
            : std::string("expected a duration"),
        {.hint = "write 30s or 5m"}
    );
    return std::nullopt;
}

/// Components inherit these: a long one would be there once for each.
bool is_short(const std::string& text, const Field& field) {
    constexpr std::size_t kLongest = 253;
    if (text.size() <= kLongest) return true;
    field.fail("E011", fmt::format("longer than {} characters", kLongest));
    return false;
}

std::optional<std::string> read_window(const Field& field) {
    const auto text = field.string();
    if (!text) return std::nullopt;
    if (const auto window = DailyWindow::parse(*text)) return window->text();
    field.fail(
        "E011",
        fmt::format("\"{}\" is not a time of the day from when to when", *text),
        {.hint = "write 02:00-04:00, in UTC"}
    );
    return std::nullopt;
}

}  // namespace

XIcos read_x_icos(const Field& field) {
    XIcos options;
    if (!field.expect_map()) return options;
    field.known_keys(kKeys);
    if (const auto version = field.at("version")) version->integer(1, 1);
    if (const auto value = field.at("replicas")) options.replicas = read_count(*value);
    if (const auto spread = field.at("spread"); spread && spread->expect_map()) {
        spread->known_keys(kSpreadKeys);
        if (const auto by = spread->at("by")) {
            auto label = by->string();
            if (label && is_short(*label, *by)) options.spread_by = std::move(label);
        }
        if (const auto max = spread->at("max")) options.spread_max = read_count(*max);
    }
    if (const auto value = field.at("antiAffinity")) options.anti_affinity = value->boolean();
    if (const auto value = field.at("onNodeLoss")) {
        if (const auto word = value->one_of(kOnNodeLoss, "E011")) {
            options.on_node_loss = *word == "keep"        ? OnNodeLoss::keep
                                   : *word == "exclusive" ? OnNodeLoss::exclusive
                                                          : OnNodeLoss::replace;
        }
    }
    if (const auto update = field.at("update"); update && update->expect_map()) {
        update->known_keys(kUpdateKeys);
        if (const auto order = update->at("order")) options.update_order = order->one_of(kOrders, "E011");
        if (const auto timeout = update->at("healthTimeout"))
            options.health_timeout_ms = read_duration(*timeout);
    }
    if (const auto value = field.at("maxStaleness")) options.max_staleness_ms = read_duration(*value);
    if (const auto value = field.at("registryCredentials")) {
        constexpr std::size_t kMostCredentials = 32;
        auto names = value->strings().value_or(std::vector<std::string>{});
        if (names.size() > kMostCredentials) {
            value->fail("E011", fmt::format("more than {} credentials", kMostCredentials));
            names.clear();
        }
        for (std::string& name : names) {
            if (is_short(name, *value)) options.registry_credentials.push_back(std::move(name));
        }
    }
    if (const auto value = field.at("window")) options.window = read_window(*value);
    if (const auto value = field.at("pull")) options.pull = value->one_of(kPull, "E011");
    return options;
}

}  // namespace icos::descriptor::header
