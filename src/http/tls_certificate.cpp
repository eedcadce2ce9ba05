// SPDX-License-Identifier: Apache-2.0
#include "http/tls.hpp"

#include <array>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace icos::http {

void X509Deleter::operator()(x509_st* certificate) const noexcept {
    X509_free(certificate);
}

std::vector<X509Ptr> read_certificates(std::string_view pem) {
    std::vector<X509Ptr> certificates;
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free
    );
    while (bio) {
        X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        if (!certificate) break;
        certificates.push_back(std::move(certificate));
    }
    ERR_clear_error();
    return certificates;
}

std::string spki_der(const x509_st* certificate) {
    const X509_PUBKEY* key = X509_get_X509_PUBKEY(certificate);
    if (key == nullptr) return {};
    unsigned char* der = nullptr;
    const int length = i2d_X509_PUBKEY(key, &der);
    if (length <= 0) return {};
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owned(der, [](unsigned char* p) {
        OPENSSL_free(p);
    });
    return {der, der + length};
}

std::string sha256_hex(std::string_view bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) return {};
    std::string hex;
    hex.reserve(std::size_t{size} * 2);
    for (unsigned int i = 0; i < size; ++i) {
        hex.push_back(kDigits[digest.at(i) >> 4U]);
        hex.push_back(kDigits[digest.at(i) & 15U]);
    }
    return hex;
}

std::string take_openssl_error() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0) return "unknown TLS error";
    std::array<char, 256> text{};
    ERR_error_string_n(code, text.data(), text.size());
    return text.data();
}

}  // namespace icos::http
