// SPDX-License-Identifier: Apache-2.0
#include "x509.hpp"

#include "icos/link/digest.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace icos::fleet::x509 {
namespace {

constexpr std::size_t kMaxCommonName = 64;  // ub-common-name of RFC 5280

struct BioDeleter {
    void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;

Error failed(const std::string& what) {
    std::array<char, 256> text{};
    ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
    ERR_clear_error();
    return Error{errc::internal, what + ": " + text.data()};
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

Bio reader(std::string_view text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

bool is_address(const std::string& host) {
    ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
    ERR_clear_error();
    if (address == nullptr) return false;
    ASN1_OCTET_STRING_free(address);
    return true;
}

/// What may stand in a subject alternative name without being read as OpenSSL's configuration syntax.
bool is_plain(const std::string& host) {
    return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '-' || c == ':' || c == '_';
    });
}

std::string alternative_names(const std::vector<std::string>& hosts) {
    std::string out;
    for (const std::string& host : hosts) {
        if (!is_host(host)) continue;
        out += (out.empty() ? "" : ",") + std::string(is_address(host) ? "IP:" : "DNS:") + host;
    }
    return out;
}

bool extend(X509* certificate, const X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context{};
    // The context takes no const certificates although it only reads them.
    X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    if (extension == nullptr) return false;
    const bool added = X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

bool add_extensions(X509* certificate, const X509* issuer, const Wish& wish) {
    const bool authority = wish.usage == Usage::authority;
    bool done = extend(
        certificate,
        issuer,
        NID_basic_constraints,
        authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE"
    );
    done = done && extend(
                       certificate,
                       issuer,
                       NID_key_usage,
                       authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"
                   );
    done = done && extend(certificate, issuer, NID_subject_key_identifier, "hash");
    if (!authority) {
        done = done && extend(certificate, issuer, NID_authority_key_identifier, "keyid");
        done = done && extend(
                           certificate,
                           issuer,
                           NID_ext_key_usage,
                           wish.usage == Usage::server ? "serverAuth" : "clientAuth"
                       );
    }
    const std::string names = alternative_names(wish.hosts);
    return done && (names.empty() || extend(certificate, issuer, NID_subject_alt_name, names));
}

std::time_t seconds(WallTime time) {
    return static_cast<std::time_t>(std::max<std::int64_t>(to_ms(time), 0) / 1000);
}

bool set_serial(X509* certificate) {
    constexpr int kBits = 127;  // positive, of constant length
    BIGNUM* number = BN_new();
    const bool done = number != nullptr && BN_rand(number, kBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
    BN_free(number);
    return done;
}

}  // namespace

void KeyDeleter::operator()(evp_pkey_st* key) const noexcept {
    EVP_PKEY_free(key);
}
void CertificateDeleter::operator()(x509_st* certificate) const noexcept {
    X509_free(certificate);
}

Result<Key> make_key() {
    Key key(EVP_EC_gen("P-256"));
    if (!key) return failed("cannot make a key");
    return key;
}

Result<Key> public_key(std::string_view spki_der) {
    const auto* at = reinterpret_cast<const unsigned char*>(spki_der.data());
    Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki_der.size())));
    if (!key) {
        ERR_clear_error();
        return Error{errc::invalid, "the public key of the connection cannot be read"};
    }
    return key;
}

Result<Certificate> make_certificate(
    const Wish& wish, evp_pkey_st& subject_key, const x509_st* issuer, evp_pkey_st& issuer_key
) {
    Certificate certificate(X509_new());
    if (!certificate) return failed("cannot make a certificate");
    X509* x = certificate.get();
    const std::string name = wish.common_name.substr(0, kMaxCommonName);
    const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
    X509_NAME* subject = X509_get_subject_name(x);
    bool done = X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x);
    done = done && ASN1_TIME_set(X509_getm_notBefore(x), seconds(wish.not_before)) != nullptr;
    done = done && ASN1_TIME_set(X509_getm_notAfter(x), seconds(wish.not_after)) != nullptr;
    done = done && X509_set_pubkey(x, &subject_key) == 1;
    done = done && X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, text, -1, -1, 0) == 1;
    done = done && X509_set_issuer_name(x, issuer == nullptr ? subject : X509_get_subject_name(issuer)) == 1;
    done = done && add_extensions(x, issuer == nullptr ? x : issuer, wish);
    done = done && X509_sign(x, &issuer_key, EVP_sha256()) != 0;
    if (!done) return failed("cannot make a certificate for '" + name + "'");
    return certificate;
}

std::string to_pem(const x509_st& certificate) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), &certificate);
    return text_of(bio.get());
}

std::string to_pem(const evp_pkey_st& key) {
    const Bio bio(BIO_new(BIO_s_secmem()));
    PEM_write_bio_PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(bio.get());
}

Key read_key(std::string_view pem) {
    const Bio bio = reader(pem);
    // A key with a passphrase is not one of ours: an empty answer instead of a prompt on the terminal.
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    return key;
}

Certificate read_certificate(std::string_view pem) {
    const Bio bio = reader(pem);
    Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    ERR_clear_error();
    return certificate;
}

bool belongs(const x509_st& certificate, const evp_pkey_st& key) {
    const bool same = X509_check_private_key(&certificate, &key) == 1;
    ERR_clear_error();
    return same;
}

std::string spki_sha256(const x509_st& certificate) {
    unsigned char* der = nullptr;
    const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &der);
    if (length <= 0) return {};
    const std::string bytes(der, der + length);
    OPENSSL_free(der);
    return link::sha256_hex(bytes);
}

WallTime not_after(const x509_st& certificate) {
    std::tm time{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &time) != 1) return WallTime{};
    return from_ms(static_cast<std::int64_t>(timegm(&time)) * 1000);
}

bool is_host(const std::string& text) {
    return is_plain(text) && (text.find(':') == std::string::npos || is_address(text));
}

bool is_valid_for(const x509_st& certificate, const std::string& host) {
    X509* x = const_cast<X509*>(&certificate);  // only read: the checks fill a cache inside
    if (is_address(host)) return X509_check_ip_asc(x, host.c_str(), 0) == 1;
    return X509_check_host(x, host.c_str(), host.size(), 0, nullptr) == 1;
}

}  // namespace icos::fleet::x509
