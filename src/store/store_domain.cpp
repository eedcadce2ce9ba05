// SPDX-License-Identifier: Apache-2.0
#include "icos/store/store.hpp"

#include <array>

namespace icos {

const ErrorDomain& store_domain() noexcept {
    static constexpr std::array<ErrorEntry, 8> kEntries{{
        {"full", ErrorKind::storage_full},
        {"corrupt", ErrorKind::internal},
        {"newer", ErrorKind::unprocessable},
        {"locked", ErrorKind::conflict},
        {"busy", ErrorKind::busy},
        {"history_gone", ErrorKind::gone},
        {"closed", ErrorKind::unavailable},
        {"io", ErrorKind::unavailable},
    }};
    static const ErrorDomain kDomain("store", kEntries);
    return kDomain;
}

}  // namespace icos
