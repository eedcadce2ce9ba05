// SPDX-License-Identifier: Apache-2.0
#include "error.hpp"

#include <array>

namespace icos::fleet {

const ErrorDomain& node_domain() noexcept {
    static constexpr std::array entries{
        ErrorEntry{"not_found", ErrorKind::not_found},
        ErrorEntry{"cluster_not_found", ErrorKind::not_found},
        ErrorEntry{"name_taken", ErrorKind::conflict},
        ErrorEntry{"key_known", ErrorKind::conflict},
        ErrorEntry{"invalid_label", ErrorKind::unprocessable},
        ErrorEntry{"invalid", ErrorKind::unprocessable},
        ErrorEntry{"token_unknown", ErrorKind::not_found},
        ErrorEntry{"token_expired", ErrorKind::forbidden},
        ErrorEntry{"token_spent", ErrorKind::forbidden},
        ErrorEntry{"in_use", ErrorKind::conflict},
        ErrorEntry{"unreachable", ErrorKind::unavailable},
        ErrorEntry{"unknown_key", ErrorKind::forbidden},
        ErrorEntry{"revoked", ErrorKind::forbidden},
        ErrorEntry{"duplicate", ErrorKind::conflict},
        ErrorEntry{"changed", ErrorKind::precondition},
        ErrorEntry{"certificate_expired", ErrorKind::forbidden},
    };
    static const ErrorDomain domain("node", entries);
    return domain;
}

}  // namespace icos::fleet
