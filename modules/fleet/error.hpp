// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

namespace icos::fleet {

/// node.not_found, node.cluster_not_found, node.name_taken, node.key_known (the key belongs to another node),
/// node.invalid_label (a label, with its place), node.invalid (any other member, with its place),
/// node.token_unknown, node.token_expired, node.token_spent, node.in_use, node.unreachable, node.unknown_key,
/// node.revoked, node.duplicate (a second agent with one identity), node.changed (If-Match did not hold),
/// node.certificate_expired (beyond its grace: it was renewed, connect again).
enum class errc {
    not_found = 1,
    cluster_not_found,
    name_taken,
    key_known,
    invalid_label,
    invalid,
    token_unknown,
    token_expired,
    token_spent,
    in_use,
    unreachable,
    unknown_key,
    revoked,
    duplicate,
    changed,
    certificate_expired,
};
const ErrorDomain& node_domain() noexcept;
inline boost::system::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), node_domain()};
}

}  // namespace icos::fleet

template <>
struct boost::system::is_error_code_enum<icos::fleet::errc> : std::true_type {};
