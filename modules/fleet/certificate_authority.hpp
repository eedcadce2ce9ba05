// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"
#include "icos/ports/fleet.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace icos {
class Disk;
}

namespace icos::fleet {

struct AuthoritySettings {
    Disk& disk;
    std::string directory;           ///< "<data-dir>/ca"; created when absent
    std::string name;                ///< the controller's, in the certificates' subjects
    std::vector<std::string> hosts;  ///< names and addresses by which the controller is reached
    WallTime now{};
};
using CertificateAuthorityFactory =
    std::function<Result<std::unique_ptr<CertificateAuthority>>(const AuthoritySettings&)>;

/// The authority of production: P-256 keys, X.509 by OpenSSL 3. `ca.pem` (key and certificate, 20 years) is
/// written at first start, durably and as a whole; it is never replaced: when it is there but cannot be read,
/// that is an error, because every agent pins it. `operator.pem` is renewed with the same key when it nears
/// its end or lacks a host. The agent listener's pair is made anew each time and stays in memory. Blocks;
/// loop-confined afterwards.
Result<std::unique_ptr<CertificateAuthority>> open_openssl_authority(const AuthoritySettings& settings);

}  // namespace icos::fleet
