// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

namespace icos::job_manager {

/// app.not_found, app.component_not_found, app.deleting (409, an application on its way out),
/// app.name_mismatch (422), app.changed (412, If-Match did not hold), app.not_placed (409, nothing of it has
/// a node), app.invalid_query (400), app.ambiguous (409, several components or services match), app.busy
/// (429, too many changes wait), app.no_such_generation (404, not kept), app.nothing_to_undo (409, no kept
/// generation differs from the current one), app.no_such_credential (404), app.credential_in_use (409, an
/// application names it), app.not_maskable (409, it cannot be told where the secrets of a descriptor are).
enum class errc {
    not_found = 1,
    component_not_found,
    deleting,
    name_mismatch,
    changed,
    not_placed,
    invalid_query,
    ambiguous,
    busy,
    no_such_generation,
    nothing_to_undo,
    no_such_credential,
    credential_in_use,
    not_maskable,
};
const ErrorDomain& app_domain() noexcept;
inline boost::system::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), app_domain()};
}

/// descriptor.invalid (422), with `diagnostics` in the problem document.
enum class descriptor_errc { invalid = 1 };
const ErrorDomain& descriptor_domain() noexcept;
inline boost::system::error_code make_error_code(descriptor_errc e) noexcept {
    return {static_cast<int>(e), descriptor_domain()};
}

}  // namespace icos::job_manager

template <>
struct boost::system::is_error_code_enum<icos::job_manager::errc> : std::true_type {};
template <>
struct boost::system::is_error_code_enum<icos::job_manager::descriptor_errc> : std::true_type {};
