// SPDX-License-Identifier: Apache-2.0
#include "icos/http/router.hpp"

#include <array>

namespace icos::http {
namespace {

constexpr std::array<ErrorEntry, 13> kHttpErrors{{
    {"bad_request", ErrorKind::invalid},
    {"no_route", ErrorKind::not_found},
    {"method_not_allowed", ErrorKind::method},
    {"body_too_large", ErrorKind::too_large},
    {"header_too_large", ErrorKind::too_large},
    {"timeout", ErrorKind::timed_out},
    {"shutting_down", ErrorKind::unavailable},
    {"too_many_connections", ErrorKind::unavailable},
    {"connect_failed", ErrorKind::unavailable},
    {"closed", ErrorKind::unavailable},
    {"bad_response", ErrorKind::upstream},
    {"tls_failed", ErrorKind::unavailable},
    {"pin_mismatch", ErrorKind::forbidden},
}};

constexpr std::array<ErrorEntry, 3> kAuthErrors{{
    {"required", ErrorKind::unauthenticated},
    {"forbidden", ErrorKind::forbidden},
    {"bad_token", ErrorKind::unauthenticated},
}};

}  // namespace

const ErrorDomain& http_domain() noexcept {
    static const ErrorDomain domain("http", kHttpErrors);
    return domain;
}

const ErrorDomain& auth_domain() noexcept {
    static const ErrorDomain domain("auth", kAuthErrors);
    return domain;
}

}  // namespace icos::http
