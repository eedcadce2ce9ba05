// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "field.hpp"
#include "icos/descriptor/descriptor.hpp"

#include <cstdint>
#include <optional>

/// What the types of policies differ in.
namespace icos::descriptor::header {

enum class PolicyKind { security, short_security, scheduler, custom, usage, telemetry, short_telemetry };

/// By `type`, else by the key of a short form; E051 and E052.
std::optional<PolicyKind> read_policy_kind(const Field& policy);
/// E066 for a key of another kind, E013 for one of none.
void check_policy_keys(const Field& policy, PolicyKind kind);
PolicyRule read_policy_rule(const Field& policy, PolicyKind kind);
/// Milliseconds; E068.
std::optional<std::uint64_t> read_policy_duration(const Field& field);

}  // namespace icos::descriptor::header
