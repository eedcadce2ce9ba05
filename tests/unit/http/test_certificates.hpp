// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

namespace icos::http::test {

/// A key and a certificate made for a test.
struct TestIdentity {
    std::string certificate;  ///< PEM
    std::string key;          ///< PEM
    std::string pin;          ///< SHA-256 of the SPKI, hex
};

struct CertificateWish {
    std::string common_name = "localhost";
    bool is_authority = false;
    bool is_expired = false;
    /// "serverAuth", "clientAuth" or none.
    std::string usage{};
    const TestIdentity* issuer = nullptr;  ///< self-signed without one
};
TestIdentity make_identity(const CertificateWish& wish);

}  // namespace icos::http::test
