// SPDX-License-Identifier: Apache-2.0
#include "icos/core/error.hpp"

#include <boost/system/system_error.hpp>

#include <array>
#include <ostream>

namespace icos {
namespace {

constexpr std::array<ErrorEntry, 9> kCoreErrors{{
    {"invalid", ErrorKind::invalid},
    {"timed_out", ErrorKind::timed_out},
    {"cancelled", ErrorKind::unavailable},
    {"unavailable", ErrorKind::unavailable},
    {"io", ErrorKind::internal},
    {"too_large", ErrorKind::too_large},
    {"internal", ErrorKind::internal},
    {"not_found", ErrorKind::not_found},
    {"busy", ErrorKind::busy},
}};

constexpr ErrorDomain kCoreDomain{"core", kCoreErrors};

const ErrorDomain* domain_of(const boost::system::error_code& code) noexcept {
    return dynamic_cast<const ErrorDomain*>(&code.category());
}

}  // namespace

std::string ErrorDomain::message(int value) const {
    if (value < 1 || static_cast<std::size_t>(value) > entries_.size()) return std::to_string(value);
    return std::string(entries_[static_cast<std::size_t>(value) - 1].name);
}

ErrorKind ErrorDomain::kind(int value) const noexcept {
    if (value < 1 || static_cast<std::size_t>(value) > entries_.size()) return ErrorKind::internal;
    return entries_[static_cast<std::size_t>(value) - 1].kind;
}

const ErrorDomain& core_domain() noexcept {
    return kCoreDomain;
}

std::string stable_code(const Error& error) {
    std::string text = error.code.category().name();
    text += '.';
    if (const ErrorDomain* domain = domain_of(error.code)) {
        text += domain->message(error.code.value());
    } else {
        text += std::to_string(error.code.value());
    }
    return text;
}

ErrorKind kind_of(const Error& error) noexcept {
    const ErrorDomain* domain = domain_of(error.code);
    return domain == nullptr ? ErrorKind::internal : domain->kind(error.code.value());
}

std::string describe(const Error& error) {
    std::string text = error.detail.empty() ? error.code.message() : error.detail;
    text += " [" + stable_code(error) + "]";
    if (!error.hint.empty()) text += "; " + error.hint;
    return text;
}

void throw_exception_from_error(const Error& error, const boost::source_location& /*where*/) {
    throw boost::system::system_error(error.code, describe(error));
}

std::ostream& operator<<(std::ostream& out, const Error& error) {
    return out << describe(error);
}

}  // namespace icos
