// SPDX-License-Identifier: Apache-2.0
#include "identity.hpp"

#include <ctime>
#include <memory>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace icos::agent {
namespace {

struct Free {
    void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
    void operator()(X509* p) const noexcept { X509_free(p); }
    void operator()(BIO* p) const noexcept { BIO_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Error failed(const char* doing) {
    char text[256] = {};
    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    return Error{errc::internal, std::string("OpenSSL could not ") + doing + ": " + text};
}

std::string contents(BIO* bio) {
    const char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(length)};
}

}  // namespace

Result<std::string> make_key() {
    const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    if (!key || !out ||
        PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return failed("make a key");
    }
    return contents(out.get());
}

Result<std::string> self_signed_certificate(const std::string& key_pem, const std::string& common_name) {
    const Owned<BIO> in(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
    const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
    if (!key) return failed("read the node's key");
    const Owned<X509> certificate(X509_new());
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    if (!certificate || !out) return failed("make a certificate");
    X509* x509 = certificate.get();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    // The node's clock may stand at 1970 and says nothing here.
    ASN1_TIME_set_string_X509(X509_getm_notBefore(x509), "19700101000000Z");
    ASN1_TIME_set_string_X509(X509_getm_notAfter(x509), "99991231235959Z");
    X509_NAME* name = X509_get_subject_name(x509);
    const std::string shown = common_name.substr(0, 64);  // upper bound of a common name
    X509_NAME_add_entry_by_txt(
        name,
        "CN",
        MBSTRING_UTF8,
        reinterpret_cast<const unsigned char*>(shown.data()),
        static_cast<int>(shown.size()),
        -1,
        0
    );
    X509_set_issuer_name(x509, name);
    if (X509_set_pubkey(x509, key.get()) != 1 || X509_sign(x509, key.get(), EVP_sha256()) == 0 ||
        PEM_write_bio_X509(out.get(), x509) != 1) {
        return failed("sign the first certificate");
    }
    return contents(out.get());
}

Result<WallTime> certificate_end(const std::string& certificate_pem, const std::string& key_pem) {
    const Owned<BIO> text(BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size())));
    const Owned<X509> certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    const Owned<BIO> in(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
    const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
    if (!certificate || !key || X509_check_private_key(certificate.get(), key.get()) != 1) {
        ERR_clear_error();
        return Error{errc::invalid, "that is no certificate for this node's key"};
    }
    std::tm end{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1)
        return failed("read the end of a certificate");
    return from_ms(static_cast<std::int64_t>(timegm(&end)) * 1000);
}

}  // namespace icos::agent
