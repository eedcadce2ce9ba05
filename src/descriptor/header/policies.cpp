// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"
#include "nearest.hpp"
#include "quantity.hpp"
#include "yaml/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

namespace icos::descriptor::header {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 3> kLevels{"low", "medium", "high"};
constexpr std::array<std::string_view, 11> kRemediations{
    "none",
    "migrate",
    "redeploy",
    "reallocation",
    "scale-up",
    "scale-down",
    "scale-out",
    "scale-in",
    "patch",
    "secure",
    "restart"
};
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
constexpr std::array<std::string_view, 7> kCommonKeys{
    "name", "type", "remediation", "remediation_action", "apply-to", "variables", "properties"
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
constexpr std::array<std::string_view, 3> kPropertyKeys{"pendingInterval", "interval", "oneoff"};
constexpr std::array<std::string_view, 6> kTypes{
    "security", "scheduler", "custom", "node-resource-usage", "redeployOnLostTelemetry", "user-preference"
};

enum class Kind { security, short_security, scheduler, custom, usage, telemetry, short_telemetry };

Words own_keys(Kind kind) {
    switch (kind) {
        case Kind::security:
            return kSecurityKeys;
        case Kind::short_security:
            return kShortSecurityKeys;
        case Kind::scheduler:
            return kWeights;
        case Kind::custom:
            return kCustomKeys;
        case Kind::usage:
            return kUsageKeys;
        case Kind::telemetry:
            return kTimeoutKeys;
        case Kind::short_telemetry:
            return kShortTelemetryKeys;
    }
    return {};
}

bool is_one_of(std::string_view word, Words words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

/// A key some type knows is E066, any other E013.
void check_keys(const Field& policy, Kind kind) {
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

void missing(const Field& policy, std::string_view code, std::string_view message, std::string hint = {}) {
    policy.report().add(
        code,
        policy.node().first_key(),
        policy.path(),
        fmt::format("policy: {}", message),
        {.hint = std::move(hint)}
    );
}

void check_duration(const Field& field) {
    if (field.node().is_scalar() && prometheus_duration_ms(field.node().text)) return;
    field.fail(
        "E068",
        field.node().is_scalar() ? fmt::format("\"{}\" is not a duration", field.node().text)
                                 : std::string("expected a duration"),
        {.hint = "write 30s or 5m"}
    );
}

void check_fraction(const Field& field) {
    const auto value = field.number("E068");
    if (value && (*value < 0 || *value > 1))
        field.fail("E068", fmt::format("{} is outside 0..1", field.node().text));
}

void check_security(const Field& policy) {
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
    if (level) level->one_of(kLevels, "E055");
    if (threshold) threshold->integer(0, 100, "E055");
}

void check_scheduler(const Field& policy) {
    double sum = 0;
    bool complete = true;
    std::optional<Field> first;
    for (const std::string_view key : kWeights) {
        const auto field = policy.at(key);
        if (!field) continue;
        if (!first || field->node().at < first->node().at) first = field;
        const auto weight = field->number("E056");
        if (weight && *weight < 0) field->fail("E056", fmt::format("{} is negative", field->node().text));
        complete = complete && weight && *weight >= 0;
        if (weight) sum += *weight;
    }
    if (!first) return missing(policy, "E057", "no weight is given", "give performance, energy or security");
    if (!complete) return;
    if (sum <= 0) return missing(policy, "E057", "all weights are 0");
    if (std::abs(sum - 1) > 0.01 + 1e-9) {
        policy.report().add(
            "W056",
            first->node().at,
            policy.path(),
            fmt::format("policy: the weights sum to {:g}, not to 1; they are normalised", sum)
        );
    }
}

void check_spec(const Field& spec) {
    if (!spec.expect_map()) return;
    spec.known_keys(kSpecKeys);
    const auto expression = spec.at("expr");
    if (!expression) {
        spec.report().add(
            "E060", spec.node().first_key(), child(spec.path(), "expr"), "spec: expr is missing"
        );
    } else {
        expression->string();
    }
    if (const auto field = spec.at("violatedIf")) field->string();
    if (const auto thresholds = spec.at("thresholds"); thresholds && thresholds->expect_map()) {
        for (const Member& member : thresholds->node().members) {
            Field(member.value, child(thresholds->path(), member.key.text), member.key.text, spec.report())
                .number();
        }
    }
}

void check_custom(const Field& policy) {
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
        const auto name = from_template->string();
        if (name && !is_one_of(*name, kTemplates))
            from_template->fail(
                "W065",
                fmt::format("unknown template \"{}\"", *name),
                {.hint = did_you_mean(*name, kTemplates)}
            );
    }
    if (spec) check_spec(*spec);
    if (!policy.at("remediation") && !policy.at("remediation_action"))
        missing(policy, "E061", "a custom policy needs a remediation", "remediation: none records only");
}

void check_usage(const Field& policy) {
    for (const std::string_view key : {"cpu_threshold_perc", "memory_threshold_perc"}) {
        if (const auto field = policy.at(key)) check_fraction(*field);
    }
    if (const auto field = policy.at("memory_threshold")) {
        const QuantityReading reading =
            field->node().is_scalar() ? read_memory(field->node().text) : QuantityReading{};
        if (!field->node().is_scalar()) {
            field->wrong_type("quantity");
        } else if (!reading.value) {
            field->fail(reading.code, reading.message, {.hint = reading.hint});
        } else if (!reading.message.empty()) {
            field->fail("W044", reading.message);
        }
    }
    if (const auto field = policy.at("exclude_app_resources")) field->boolean();
}

void check_remediation(const Field& policy) {
    const auto word = policy.at("remediation");
    const auto action = policy.at("remediation_action");
    if (word) word->one_of(kRemediations, "E062");
    if (action) action->one_of(kRemediations, "E062");
    if (word && action && word->node().is_scalar() && action->node().is_scalar() &&
        word->node().text != action->node().text) {
        action->fail(
            "E062",
            fmt::format("\"{}\" contradicts remediation \"{}\"", action->node().text, word->node().text),
            {.hint = "keep one of the two", .related = {{word->node().at.line, "remediation"}}}
        );
    }
}

void check_apply_to(const Field& policy, Scope scope, const Draft& draft) {
    const Member* member = policy.node().member("apply-to");
    if (member == nullptr || member->value.is_null()) return;
    const Field field = *policy.at("apply-to");
    if (scope == Scope::component) {
        policy.report().add(
            "E063",
            member->key.at,
            field.path(),
            "apply-to: a policy inside a component applies to that component"
        );
        return;
    }
    const auto names = field.strings();
    if (!names) return;
    std::vector<std::string_view> known;
    for (const ComponentDraft& component : draft.components) known.emplace_back(component.component.name);
    for (std::size_t i = 0; i < names->size(); ++i) {
        if (is_one_of((*names)[i], known)) continue;
        const Field item = field.node().is_sequence() ? field.item(i) : field;
        item.fail(
            "E064",
            fmt::format("there is no component \"{}\"", (*names)[i]),
            {.hint = did_you_mean((*names)[i], known)}
        );
    }
}

void check_common(const Field& policy, Scope scope, const Draft& draft) {
    check_remediation(policy);
    check_apply_to(policy, scope, draft);
    if (const auto variables = policy.at("variables")) {
        if (!variables->node().is_map()) variables->wrong_type("map of scalars", "E067");
        for (const Member& member : variables->node().members) {
            const Field value(
                member.value, child(variables->path(), member.key.text), member.key.text, policy.report()
            );
            if (!member.value.is_scalar()) value.wrong_type("scalar", "E067");
        }
    }
    if (const auto properties = policy.at("properties"); properties && properties->expect_map()) {
        properties->known_keys(kPropertyKeys);
        if (const auto field = properties->at("pendingInterval")) check_duration(*field);
        if (const auto field = properties->at("interval")) check_duration(*field);
        if (const auto field = properties->at("oneoff")) field->boolean();
    }
}

std::optional<Kind> kind_of(const Field& policy) {
    const auto type = policy.at("type");
    if (!type) {
        if (policy.node().member("security") != nullptr) return Kind::short_security;
        if (policy.node().member("redeployOnLostTelemetry") != nullptr) return Kind::short_telemetry;
        missing(policy, "E051", "the type is missing", "one of " + enumerate(Words(kTypes).first(5)));
        return std::nullopt;
    }
    const auto word = type->one_of(kTypes, "E052");
    if (!word) return std::nullopt;
    if (*word == "security") return Kind::security;
    if (*word == "scheduler" || *word == "user-preference") return Kind::scheduler;
    if (*word == "custom") return Kind::custom;
    return *word == "node-resource-usage" ? Kind::usage : Kind::telemetry;
}

void check_own(const Field& policy, Kind kind) {
    switch (kind) {
        case Kind::security:
            return check_security(policy);
        case Kind::short_security:
            if (const auto level = policy.at("security")) {
                level->one_of(kLevels, "E055");
            } else {
                missing(policy, "E054", "security has no level");
            }
            return;
        case Kind::scheduler:
            return check_scheduler(policy);
        case Kind::custom:
            return check_custom(policy);
        case Kind::usage:
            return check_usage(policy);
        case Kind::telemetry:
            if (const auto timeout = policy.at("timeout")) check_duration(*timeout);
            return;
        case Kind::short_telemetry:
            if (const auto timeout = policy.at("redeployOnLostTelemetry")) check_duration(*timeout);
            return;
    }
}

/// `- security:high` parses as a string; it is the one place where the missing space is no syntax error.
std::optional<Node> unglued(const Field& item) {
    const Node& node = item.node();
    const std::size_t colon = node.text.find(':');
    if (!node.is_scalar() || !node.plain || colon == std::string::npos || colon + 1 == node.text.size())
        return std::nullopt;
    const std::string key = node.text.substr(0, colon);
    if (!yaml::is_repairable_key(key)) return std::nullopt;
    item.report().add(
        "W002",
        node.at,
        item.path(),
        fmt::format("\"{}\" read as \"{}: {}\" (space missing)", node.text, key, node.text.substr(colon + 1))
    );
    Member member;
    member.key.kind = member.value.kind = Node::Kind::scalar;
    member.key.text = key;
    member.key.at = node.at;
    member.value.text = node.text.substr(colon + 1);
    member.value.at = {node.at.line, node.at.column + colon + 1};
    Node map;
    map.kind = Node::Kind::map;
    map.at = node.at;
    map.members.push_back(std::move(member));
    return map;
}

struct Seen {
    std::unordered_map<std::string, std::size_t> names;
    std::optional<std::size_t> scheduler_line;
};

void read_policy(const Field& policy, Scope scope, const Draft& draft, Seen& seen) {
    if (!policy.expect_map("E050")) return;
    if (const auto field = policy.at("name")) {
        if (const auto name = field->string()) {
            const auto [first, is_new] = seen.names.emplace(*name, field->node().at.line);
            if (!is_new)
                field->fail(
                    "E053",
                    fmt::format("\"{}\" is used twice", *name),
                    {.hint = {}, .related = {{first->second, "first used here"}}}
                );
        }
    }
    check_common(policy, scope, draft);
    const auto kind = kind_of(policy);
    if (!kind) return;
    check_keys(policy, *kind);
    check_own(policy, *kind);
    const Position at = policy.node().first_key();
    if (*kind == Kind::scheduler) {
        if (seen.scheduler_line) {
            policy.report().add(
                "E058",
                at,
                policy.path(),
                "policy: a second scheduler policy in one place",
                {.hint = {}, .related = {{*seen.scheduler_line, "the first"}}}
            );
        } else {
            seen.scheduler_line = at.line;
        }
    }
    if (scope == Scope::application && (*kind == Kind::telemetry || *kind == Kind::short_telemetry)) {
        const auto type = policy.at("type");
        policy.report().add(
            "E069",
            type ? type->node().at : at,
            policy.path(),
            "policy: redeployOnLostTelemetry belongs to a component"
        );
    }
}

}  // namespace

void read_policies(const Field& policies, Scope scope, const Draft& draft) {
    if (!policies.expect_list()) return;
    Seen seen;
    for (std::size_t i = 0; i < policies.node().items.size(); ++i) {
        const Field item(policies.node().items[i], child(policies.path(), i), "policy", policies.report());
        if (const auto map = unglued(item)) {
            read_policy(Field(*map, item.path(), "policy", policies.report()), scope, draft, seen);
        } else {
            read_policy(item, scope, draft, seen);
        }
    }
}

}  // namespace icos::descriptor::header
