// SPDX-License-Identifier: Apache-2.0
#include "error.hpp"

#include <array>

namespace icos::job_manager {

const ErrorDomain& app_domain() noexcept {
    static constexpr std::array<ErrorEntry, 14> entries{{
        {"not_found", ErrorKind::not_found},
        {"component_not_found", ErrorKind::not_found},
        {"deleting", ErrorKind::conflict},
        {"name_mismatch", ErrorKind::unprocessable},
        {"changed", ErrorKind::precondition},
        {"not_placed", ErrorKind::conflict},
        {"invalid_query", ErrorKind::invalid},
        {"ambiguous", ErrorKind::conflict},
        {"busy", ErrorKind::busy},
        {"no_such_generation", ErrorKind::not_found},
        {"nothing_to_undo", ErrorKind::conflict},
        {"no_such_credential", ErrorKind::not_found},
        {"credential_in_use", ErrorKind::conflict},
        {"not_maskable", ErrorKind::conflict},
    }};
    static const ErrorDomain domain("app", entries);
    return domain;
}

const ErrorDomain& descriptor_domain() noexcept {
    static constexpr std::array<ErrorEntry, 1> entries{{{"invalid", ErrorKind::unprocessable}}};
    static const ErrorDomain domain("descriptor", entries);
    return domain;
}

}  // namespace icos::job_manager
