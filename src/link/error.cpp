// SPDX-License-Identifier: Apache-2.0
#include "icos/link/session.hpp"

#include <array>

namespace icos::link {

const ErrorDomain& link_domain() noexcept {
    static constexpr std::array entries{
        ErrorEntry{"closed", ErrorKind::unavailable},
        ErrorEntry{"protocol", ErrorKind::invalid},
        ErrorEntry{"refused", ErrorKind::invalid},
        ErrorEntry{"reset", ErrorKind::upstream},
        ErrorEntry{"too_large", ErrorKind::too_large},
        ErrorEntry{"timed_out", ErrorKind::timed_out},
    };
    static const ErrorDomain domain("link", entries);
    return domain;
}

}  // namespace icos::link
