// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;
struct x509_st;

/// The few X.509 operations of the authority over OpenSSL's types. Pure but for randomness; any thread.
namespace icos::fleet::x509 {

struct KeyDeleter {
    void operator()(evp_pkey_st* key) const noexcept;
};
struct CertificateDeleter {
    void operator()(x509_st* certificate) const noexcept;
};
using Key = std::unique_ptr<evp_pkey_st, KeyDeleter>;
using Certificate = std::unique_ptr<x509_st, CertificateDeleter>;

enum class Usage { authority, server, client };

struct Wish {
    std::string common_name;
    Usage usage = Usage::server;
    WallTime not_before{};
    WallTime not_after{};
    std::vector<std::string> hosts;  ///< subject alternative names, addresses among them
};

Result<Key> make_key();
/// A public key from its SubjectPublicKeyInfo.
Result<Key> public_key(std::string_view spki_der);
/// `issuer` null: self-signed with `issuer_key`.
Result<Certificate> make_certificate(
    const Wish& wish, evp_pkey_st& subject_key, const x509_st* issuer, evp_pkey_st& issuer_key
);

std::string to_pem(const x509_st& certificate);
std::string to_pem(const evp_pkey_st& key);
/// nullptr when the text has none.
Key read_key(std::string_view pem);
Certificate read_certificate(std::string_view pem);

bool belongs(const x509_st& certificate, const evp_pkey_st& key);
/// SHA-256 of the SubjectPublicKeyInfo, lower-case hex.
std::string spki_sha256(const x509_st& certificate);
WallTime not_after(const x509_st& certificate);
/// Whether it can be a subject alternative name: a DNS name or an address.
bool is_host(const std::string& text);
bool is_valid_for(const x509_st& certificate, const std::string& host);

}  // namespace icos::fleet::x509
