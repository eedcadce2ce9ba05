// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"
#include "header/policy_rules.hpp"
#include "nearest.hpp"
#include "yaml/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

namespace icos::descriptor::header {
namespace {

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
constexpr std::array<std::string_view, 3> kPropertyKeys{"pendingInterval", "interval", "oneoff"};
bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

/// Empty if none is written.
std::string read_remediation(const Field& policy) {
    const auto word = policy.at("remediation");
    const auto action = policy.at("remediation_action");
    std::string remediation;
    if (action) remediation = action->one_of(kRemediations, "E062").value_or("");
    if (word) remediation = word->one_of(kRemediations, "E062").value_or("");
    if (word && action && word->node().is_scalar() && action->node().is_scalar() &&
        word->node().text != action->node().text) {
        action->fail(
            "E062",
            fmt::format("\"{}\" contradicts remediation \"{}\"", action->node().text, word->node().text),
            {.hint = "keep one of the two", .related = {{word->node().at.line, "remediation"}}}
        );
    }
    return remediation;
}

std::vector<std::string> read_apply_to(const Field& policy, Scope scope, const Draft& draft) {
    const Member* member = policy.node().member("apply-to");
    if (member == nullptr || member->value.is_null()) return {};
    const Field field = *policy.at("apply-to");
    if (scope == Scope::component) {
        policy.report().add(
            "E063",
            member->key.at,
            field.path(),
            "apply-to: a policy inside a component applies to that component"
        );
        return {};
    }
    auto names = field.strings();
    if (!names) return {};
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
    return std::move(*names);
}

PolicyVariable::Kind kind_of(const Node& node) {
    switch (yaml::scalar_type(node)) {
        case yaml::ScalarType::boolean:
            return PolicyVariable::Kind::boolean;
        case yaml::ScalarType::integer:
            return PolicyVariable::Kind::integer;
        case yaml::ScalarType::floating:
            return PolicyVariable::Kind::number;
        case yaml::ScalarType::string:
        case yaml::ScalarType::legacy_boolean:
            break;
    }
    return PolicyVariable::Kind::string;
}

std::vector<PolicyVariable> read_variables(const Field& field) {
    std::vector<PolicyVariable> variables;
    if (!field.node().is_map()) field.wrong_type("map of scalars", "E067");
    for (const Member& member : field.node().members) {
        const std::string& name = member.key.text;
        if (member.value.is_scalar()) {
            variables.push_back({name, member.value.text, kind_of(member.value)});
        } else {
            Field(member.value, child(field.path(), name), name, field.report()).wrong_type("scalar", "E067");
        }
    }
    return variables;
}

PolicyProperties read_properties(const Field& field) {
    PolicyProperties properties;
    if (!field.expect_map()) return properties;
    field.known_keys(kPropertyKeys);
    if (const auto value = field.at("pendingInterval"))
        properties.pending_interval_ms = read_policy_duration(*value);
    if (const auto value = field.at("interval")) properties.interval_ms = read_policy_duration(*value);
    if (const auto value = field.at("oneoff")) properties.oneoff = value->boolean().value_or(false);
    return properties;
}

std::string_view default_remediation(const PolicyRule& rule) {
    const bool watches_only =
        std::holds_alternative<SchedulerWeights>(rule) || std::holds_alternative<CustomRule>(rule);
    return watches_only ? "none" : "redeploy";
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

void read_name(const Field& policy, Policy& result, Seen& seen) {
    const auto field = policy.at("name");
    if (!field) return;
    auto name = field->string();
    if (!name) return;
    const auto [first, is_new] = seen.names.emplace(*name, field->node().at.line);
    if (!is_new) {
        field->fail(
            "E053",
            fmt::format("\"{}\" is used twice", *name),
            {.hint = {}, .related = {{first->second, "first used here"}}}
        );
    }
    result.name = std::move(*name);
}

void check_place(const Field& policy, PolicyKind kind, Scope scope, Seen& seen) {
    const Position at = policy.node().first_key();
    if (kind == PolicyKind::scheduler) {
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
    if (scope == Scope::application &&
        (kind == PolicyKind::telemetry || kind == PolicyKind::short_telemetry)) {
        const auto type = policy.at("type");
        policy.report().add(
            "E069",
            type ? type->node().at : at,
            policy.path(),
            "policy: redeployOnLostTelemetry belongs to a component"
        );
    }
}

/// Nothing if it is not known what kind of policy it is.
std::optional<Policy> read_policy(const Field& field, Scope scope, const Draft& draft, Seen& seen) {
    if (!field.expect_map("E050")) return std::nullopt;
    Policy policy;
    policy.line = field.node().first_key().line;
    read_name(field, policy, seen);
    policy.remediation = read_remediation(field);
    policy.apply_to = read_apply_to(field, scope, draft);
    if (const auto variables = field.at("variables")) policy.variables = read_variables(*variables);
    if (const auto properties = field.at("properties")) policy.properties = read_properties(*properties);
    const auto kind = read_policy_kind(field);
    if (!kind) return std::nullopt;
    check_policy_keys(field, *kind);
    policy.rule = read_policy_rule(field, *kind);
    if (policy.remediation.empty()) policy.remediation = default_remediation(policy.rule);
    check_place(field, *kind, scope, seen);
    return policy;
}

}  // namespace

std::vector<Policy> read_policies(const Field& field, Scope scope, const Draft& draft) {
    std::vector<Policy> policies;
    if (!field.expect_list()) return policies;
    Seen seen;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item(field.node().items[i], child(field.path(), i), "policy", field.report());
        const std::optional<Node> map = unglued(item);
        auto policy =
            read_policy(map ? Field(*map, item.path(), "policy", field.report()) : item, scope, draft, seen);
        if (policy) policies.push_back(std::move(*policy));
    }
    return policies;
}

}  // namespace icos::descriptor::header
