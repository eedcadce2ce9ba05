// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/relay.hpp"

#include <array>

namespace icos::agent {
namespace {

constexpr std::array<ErrorEntry, 4> kEntries{{
    {"port_taken", ErrorKind::conflict},
    {"no_address", ErrorKind::unavailable},
    {"limit", ErrorKind::too_large},
    {"failed", ErrorKind::internal},
}};

}  // namespace

const ErrorDomain& relay_domain() noexcept {
    static const ErrorDomain domain("relay", kEntries);
    return domain;
}

}  // namespace icos::agent
