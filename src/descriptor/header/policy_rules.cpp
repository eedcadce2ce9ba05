// SPDX-License-Identifier: Apache-2.0
#include "header/policy_rules.hpp"

#include "header/model.hpp"
#include "nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace icos::descriptor::header {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 3> kLevels{"low", "medium", "high"};
constexpr std::array<std::string_view, 13> kTemplates{
    "compss-under-allocation",
    "cpu-usage-host",
    "app-host-cpu-usage",
    "app-sca-score",
    "app-host-cpu-usage-perc",
    "app-host-cpu-usage-perc-excl",
    "app-host-memory-usage-perc",
    "app-host-memory-usage-perc-excl",
    "app-host-memory-avail-bytes",
    "app-host-memory-avail-bytes-excl",
    "device-available",
    "redeploy-on-lost-telemetry",
    "app-security-events",
};
constexpr std::array<std::string_view, 2> kSecurityKeys{"level", "threshold"};
constexpr std::array<std::string_view, 1> kShortSecurityKeys{"security"};
constexpr std::array<std::string_view, 4> kWeights{"performance", "energy", "energyconsumption", "security"};
constexpr std::array<std::string_view, 2> kCustomKeys{"fromTemplate", "spec"};
constexpr std::array<std::string_view, 3> kSpecKeys{"expr", "violatedIf", "thresholds"};
constexpr std::array<std::string_view, 4> kUsageKeys{
    "cpu_threshold_perc", "memory_threshold_perc", "memory_threshold", "exclude_app_resources"
};
constexpr std::array<std::string_view, 1> kTimeoutKeys{"timeout"};
constexpr std::array<std::string_view, 1> kShortTelemetryKeys{"redeployOnLostTelemetry"};
constexpr std::array<std::string_view, 6> kTypes{
    "security", "scheduler", "custom", "node-resource-usage", "redeployOnLostTelemetry", "user-preference"
};
constexpr std::array<std::string_view, 7> kCommonKeys{
    "name", "type", "remediation", "remediation_action", "apply-to", "variables", "properties"
};

Words own_keys(PolicyKind kind) {
    switch (kind) {
        case PolicyKind::security:
            return kSecurityKeys;
        case PolicyKind::short_security:
            return kShortSecurityKeys;
        case PolicyKind::scheduler:
            return kWeights;
        case PolicyKind::custom:
            return kCustomKeys;
        case PolicyKind::usage:
            return kUsageKeys;
        case PolicyKind::telemetry:
            return kTimeoutKeys;
        case PolicyKind::short_telemetry:
            return kShortTelemetryKeys;
    }
    return {};
}

bool is_one_of(std::string_view word, Words words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

void missing(const Field& policy, std::string_view code, std::string_view message, std::string hint = {}) {
    policy.report().add(
        code,
        policy.node().first_key(),
        policy.path(),
        fmt::format("policy: {}", message),
        {.hint = std::move(hint)}
    );
}

void check_fraction(const Field& field, std::optional<double>& value) {
    value = field.number("E068");
    if (value && (*value < 0 || *value > 1))
        field.fail("E068", fmt::format("{} is outside 0..1", field.node().text));
}

SecurityLevel level_of(std::string_view word) {
    return word == "high"     ? SecurityLevel::high
           : word == "medium" ? SecurityLevel::medium
                              : SecurityLevel::low;
}

void read_level(const Field& field, SecurityMinimum& minimum) {
    if (const auto word = field.one_of(kLevels, "E055")) minimum.level = level_of(*word);
}

SecurityMinimum read_security(const Field& policy) {
    SecurityMinimum minimum;
    const auto level = policy.at("level");
    const auto threshold = policy.at("threshold");
    if (level.has_value() == threshold.has_value()) {
        missing(
            policy,
            "E054",
            level ? "both level and threshold are given" : "level or threshold is missing",
            "give one of them"
        );
    }
    if (level) read_level(*level, minimum);
    if (threshold) {
        if (const auto score = threshold->integer(0, 100, "E055"))
            minimum.threshold = static_cast<std::uint32_t>(*score);
    }
    return minimum;
}

SecurityMinimum read_short_security(const Field& policy) {
    SecurityMinimum minimum;
    if (const auto level = policy.at("security")) {
        read_level(*level, minimum);
    } else {
        missing(policy, "E054", "security has no level");
    }
    return minimum;
}

SchedulerWeights read_scheduler(const Field& policy) {
    SchedulerWeights weights;
    double sum = 0;
    bool complete = true;
    std::optional<Field> first;
    const auto read = [&](std::string_view key, double& weight) {
        const auto field = policy.at(key);
        if (!field) return;
        if (!first || field->node().at < first->node().at) first = field;
        const auto value = field->number("E056");
        if (value && *value < 0) field->fail("E056", fmt::format("{} is negative", field->node().text));
        complete = complete && value && *value >= 0;
        weight = value.value_or(0);
        sum += weight;
    };
    read("performance", weights.performance);
    read("energyconsumption", weights.energy);
    read("energy", weights.energy);
    read("security", weights.security);
    if (const auto legacy = policy.at("energyconsumption"); legacy && policy.at("energy")) {
        policy.report().add(
            "E066",
            policy.node().member("energyconsumption")->key.at,
            legacy->path(),
            "energyconsumption: the older word for energy, which is given too",
            {.hint = "keep energy"}
        );
        return weights;
    }
    if (!first) {
        missing(policy, "E057", "no weight is given", "give performance, energy or security");
    } else if (complete && sum <= 0) {
        missing(policy, "E057", "all weights are 0");
    } else if (complete && std::abs(sum - 1) > 0.01 + 1e-9) {
        policy.report().add(
            "W056",
            first->node().at,
            policy.path(),
            fmt::format("policy: the weights sum to {:g}, not to 1; they are normalised", sum)
        );
    }
    return weights;
}

PolicySpec read_spec(const Field& field) {
    PolicySpec spec;
    if (!field.expect_map()) return spec;
    field.known_keys(kSpecKeys);
    const auto expression = field.at("expr");
    if (!expression) {
        field.report().add(
            "E060", field.node().first_key(), child(field.path(), "expr"), "spec: expr is missing"
        );
    } else {
        spec.expr = expression->string().value_or("");
    }
    if (const auto comparison = field.at("violatedIf")) spec.violated_if = comparison->string().value_or("");
    if (const auto thresholds = field.at("thresholds"); thresholds && thresholds->expect_map()) {
        for (const Member& member : thresholds->node().members) {
            const Field threshold(
                member.value, child(thresholds->path(), member.key.text), member.key.text, field.report()
            );
            spec.thresholds.emplace_back(member.key.text, threshold.number().value_or(0));
        }
    }
    return spec;
}

CustomRule read_custom(const Field& policy) {
    CustomRule rule;
    const auto from_template = policy.at("fromTemplate");
    const auto spec = policy.at("spec");
    if (from_template.has_value() == spec.has_value()) {
        missing(
            policy,
            "E060",
            spec ? "both fromTemplate and spec are given" : "fromTemplate or spec is missing",
            "give one of them"
        );
    }
    if (from_template) {
        rule.from_template = from_template->string().value_or("");
        if (!rule.from_template.empty() && !is_one_of(rule.from_template, kTemplates)) {
            from_template->fail(
                "W065",
                fmt::format("unknown template \"{}\"", rule.from_template),
                {.hint = did_you_mean(rule.from_template, kTemplates)}
            );
        }
    }
    if (spec) rule.spec = read_spec(*spec);
    if (!policy.at("remediation") && !policy.at("remediation_action"))
        missing(policy, "E061", "a custom policy needs a remediation", "remediation: none records only");
    return rule;
}

NodeResourceUsage read_usage(const Field& policy) {
    NodeResourceUsage usage;
    if (const auto field = policy.at("cpu_threshold_perc")) check_fraction(*field, usage.cpu_threshold_perc);
    if (const auto field = policy.at("memory_threshold_perc"))
        check_fraction(*field, usage.memory_threshold_perc);
    if (const auto field = policy.at("memory_threshold"))
        usage.memory_threshold = read_memory_quantity(*field);
    if (const auto field = policy.at("exclude_app_resources"))
        usage.exclude_app_resources = field->boolean().value_or(true);
    return usage;
}

LostTelemetry read_telemetry(const Field& policy, std::string_view key) {
    LostTelemetry rule;
    if (const auto timeout = policy.at(key))
        rule.timeout_ms = read_policy_duration(*timeout).value_or(rule.timeout_ms);
    return rule;
}

}  // namespace

/// A key some type knows is E066, any other E013.
void check_policy_keys(const Field& policy, PolicyKind kind) {
    const Words own = own_keys(kind);
    std::vector<std::string_view> known(kCommonKeys.begin(), kCommonKeys.end());
    known.insert(known.end(), own.begin(), own.end());
    for (const Member& member : policy.node().members) {
        const std::string& key = member.key.text;
        if (is_one_of(key, known) || (member.key.plain && key.starts_with('-'))) continue;
        bool elsewhere = false;
        for (const Words other :
             {Words(kSecurityKeys),
              Words(kWeights),
              Words(kCustomKeys),
              Words(kUsageKeys),
              Words(kTimeoutKeys),
              Words(kShortTelemetryKeys)}) {
            elsewhere = elsewhere || is_one_of(key, other);
        }
        std::string hint = did_you_mean(key, known);
        policy.report().add(
            elsewhere ? "E066" : "E013",
            member.key.at,
            child(policy.path(), key),
            elsewhere ? fmt::format("{}: not a key of this type of policy", key)
                      : fmt::format("{}: unknown key", key),
            {.hint = hint.empty() ? "known here: " + enumerate(known) : std::move(hint)}
        );
    }
}

std::optional<std::uint64_t> read_policy_duration(const Field& field) {
    const auto ms = field.node().is_scalar() ? prometheus_duration_ms(field.node().text) : std::nullopt;
    if (!ms) {
        field.fail(
            "E068",
            field.node().is_scalar() ? fmt::format("\"{}\" is not a duration", field.node().text)
                                     : std::string("expected a duration"),
            {.hint = "write 30s or 5m"}
        );
    }
    return ms;
}

std::optional<PolicyKind> read_policy_kind(const Field& policy) {
    const auto type = policy.at("type");
    if (!type) {
        if (policy.node().member("security") != nullptr) return PolicyKind::short_security;
        if (policy.node().member("redeployOnLostTelemetry") != nullptr) return PolicyKind::short_telemetry;
        missing(policy, "E051", "the type is missing", "one of " + enumerate(Words(kTypes).first(5)));
        return std::nullopt;
    }
    const auto word = type->one_of(kTypes, "E052");
    if (!word) return std::nullopt;
    if (*word == "security") return PolicyKind::security;
    if (*word == "scheduler" || *word == "user-preference") return PolicyKind::scheduler;
    if (*word == "custom") return PolicyKind::custom;
    return *word == "node-resource-usage" ? PolicyKind::usage : PolicyKind::telemetry;
}

PolicyRule read_policy_rule(const Field& policy, PolicyKind kind) {
    switch (kind) {
        case PolicyKind::security:
            return read_security(policy);
        case PolicyKind::short_security:
            return read_short_security(policy);
        case PolicyKind::scheduler:
            return read_scheduler(policy);
        case PolicyKind::custom:
            return read_custom(policy);
        case PolicyKind::usage:
            return read_usage(policy);
        case PolicyKind::telemetry:
            return read_telemetry(policy, "timeout");
        case PolicyKind::short_telemetry:
            return read_telemetry(policy, "redeployOnLostTelemetry");
    }
    return {};
}

}  // namespace icos::descriptor::header
