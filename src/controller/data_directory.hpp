// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/store/disk.hpp"
#include "icos/store/seal.hpp"

#include <string>

namespace icos::controller {

/// What the data directory says about this controller; made at the first start.
struct Identity {
    std::string controller_id;  ///< UUID
    std::string admin_token;    ///< secret; also in `admin.token`, mode 0600
};

/// Opens or prepares `directory` (mode 0700 when it is made). Blocking, at start.
Result<Identity> open_data_directory(Runtime& runtime, Disk& disk, const std::string& directory);

/// The key that seals secrets in `<directory>/state.db`: of systemd's credentials, or `<directory>/seal.key`,
/// which is made at the first start. seal.no_key when the key is gone and something is sealed with it.
/// Blocking, at start.
Result<Seal> open_seal(Runtime& runtime, Disk& disk, const std::string& directory);

/// Compares without telling by its duration how much was right.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace icos::controller
