// SPDX-License-Identifier: Apache-2.0
#include "icos/store/seal.hpp"

#include <memory>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <span>
#include <stdexcept>

namespace icos {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kHeaderBytes = 1 + kIdBytes;
constexpr std::string_view kTextPrefix = "sealed:1:";

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}
int length_of(std::string_view text) {
    return static_cast<int>(text.size());
}

void must(int ok, const char* what) {
    if (ok != 1) throw std::runtime_error(std::string("OpenSSL refused ") + what);
}

Context make_context() {
    Context context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    if (!context) throw std::bad_alloc();
    return context;
}

/// One key per purpose: HMAC-SHA-256 of the purpose's name.
std::array<unsigned char, 32> derived(std::string_view key, std::string_view purpose) {
    std::array<unsigned char, 32> out{};
    unsigned length = 0;
    const unsigned char* made = HMAC(
        EVP_sha256(), key.data(), length_of(key), bytes_of(purpose), purpose.size(), out.data(), &length
    );
    must(made != nullptr && length == out.size() ? 1 : 0, "HMAC-SHA-256");
    return out;
}

std::string hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(kDigits[byte >> 4U]);
        out.push_back(kDigits[byte & 15U]);
    }
    return out;
}

}  // namespace

const ErrorDomain& seal_domain() noexcept {
    static constexpr std::array<ErrorEntry, 5> kEntries{{
        {"no_key", ErrorKind::unprocessable},
        {"bad_key", ErrorKind::unprocessable},
        {"exposed", ErrorKind::unprocessable},
        {"other_key", ErrorKind::unprocessable},
        {"damaged", ErrorKind::internal},
    }};
    static const ErrorDomain kDomain("seal", kEntries);
    return kDomain;
}

Seal::Seal(std::string_view key) : cipher_key_(derived(key, "icos seal 1")) {
    if (key.size() != kKeyBytes) throw std::logic_error("a key to seal with has 32 bytes");
    const auto id = derived(key, "icos key id 1");
    id_.assign(id.begin(), id.begin() + kIdBytes);
    id_text_ = hex(id_);
}

std::string Seal::close(Runtime& runtime, std::string_view plain, std::string_view context) const {
    std::string out(1, kVersion);
    out += id_;
    std::string nonce(kNonceBytes, '\0');
    runtime.random_bytes(std::as_writable_bytes(std::span(nonce)));
    out += nonce;
    const std::size_t begin = out.size();
    out.resize(begin + plain.size() + kTagBytes);
    const Context cipher = make_context();
    must(
        EVP_EncryptInit_ex(
            cipher.get(), EVP_aes_256_gcm(), nullptr, cipher_key_.data(), bytes_of(std::string_view(nonce))
        ),
        "AES-256-GCM"
    );
    int length = 0;
    const std::string_view header = std::string_view(out).substr(0, kHeaderBytes);
    must(EVP_EncryptUpdate(cipher.get(), nullptr, &length, bytes_of(header), length_of(header)), "a header");
    must(
        EVP_EncryptUpdate(cipher.get(), nullptr, &length, bytes_of(context), length_of(context)), "a context"
    );
    must(
        EVP_EncryptUpdate(cipher.get(), bytes_of(out) + begin, &length, bytes_of(plain), length_of(plain)),
        "to encrypt"
    );
    must(EVP_EncryptFinal_ex(cipher.get(), bytes_of(out) + begin + plain.size(), &length), "to encrypt");
    must(
        EVP_CIPHER_CTX_ctrl(
            cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, bytes_of(out) + begin + plain.size()
        ),
        "a tag"
    );
    return out;
}

Result<std::string> Seal::open(std::string_view sealed, std::string_view context) const {
    const Error damaged{
        seal_errc::damaged,
        "the sealed " + std::string(context) + " is damaged, or was sealed for another place",
        "restore it from a backup"
    };
    if (sealed.size() < kOverhead || sealed[0] != kVersion) return damaged;
    if (sealed.substr(1, kIdBytes) != id_) {
        return Error{
            seal_errc::other_key,
            "the " + std::string(context) + " is sealed with key " + hex(sealed.substr(1, kIdBytes)) +
                ", and the key here is " + id_text_,
            "put the key back that sealed it"
        };
    }
    const std::string_view header = sealed.substr(0, kHeaderBytes);
    const std::string_view nonce = sealed.substr(kHeaderBytes, kNonceBytes);
    const std::size_t begin = kHeaderBytes + kNonceBytes;
    const std::string_view body = sealed.substr(begin, sealed.size() - begin - kTagBytes);
    std::string tag(sealed.substr(sealed.size() - kTagBytes));
    const Context cipher = make_context();
    must(
        EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, cipher_key_.data(), bytes_of(nonce)),
        "AES-256-GCM"
    );
    int length = 0;
    must(EVP_DecryptUpdate(cipher.get(), nullptr, &length, bytes_of(header), length_of(header)), "a header");
    must(
        EVP_DecryptUpdate(cipher.get(), nullptr, &length, bytes_of(context), length_of(context)), "a context"
    );
    // One byte more than nothing: OpenSSL takes a null output for associated data.
    std::string plain(body.size() + 1, '\0');
    must(
        EVP_DecryptUpdate(cipher.get(), bytes_of(plain), &length, bytes_of(body), length_of(body)),
        "to decrypt"
    );
    must(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()), "a tag");
    if (EVP_DecryptFinal_ex(cipher.get(), bytes_of(plain) + body.size(), &length) != 1) return damaged;
    plain.resize(body.size());
    return plain;
}

std::string to_sealed_text(const Seal& seal, std::string_view sealed) {
    std::string text(kTextPrefix);
    text += seal.key_id();
    text += ':';
    const std::size_t begin = text.size();
    // EVP_EncodeBlock writes a terminating zero as well.
    text.resize(begin + (sealed.size() + 2) / 3 * 4 + 1);
    const int length = EVP_EncodeBlock(bytes_of(text) + begin, bytes_of(sealed), length_of(sealed));
    text.resize(begin + static_cast<std::size_t>(length));
    return text;
}

bool is_sealed_text(std::string_view text) noexcept {
    return text.starts_with(kTextPrefix);
}

std::string_view key_id_of(std::string_view sealed_text) noexcept {
    sealed_text.remove_prefix(std::min(kTextPrefix.size(), sealed_text.size()));
    const std::size_t colon = sealed_text.find(':');
    return colon == std::string_view::npos ? std::string_view() : sealed_text.substr(0, colon);
}

Result<std::string> from_sealed_text(std::string_view text) {
    const Error damaged{
        seal_errc::damaged, "this is not the text of a sealed value", "restore it from a backup"
    };
    if (!is_sealed_text(text)) return damaged;
    const std::size_t begin = kTextPrefix.size() + key_id_of(text).size() + 1;
    if (begin >= text.size() || (text.size() - begin) % 4 != 0) return damaged;
    const std::string_view encoded = text.substr(begin);
    std::string sealed(encoded.size() / 4 * 3, '\0');
    const int length = EVP_DecodeBlock(bytes_of(sealed), bytes_of(encoded), length_of(encoded));
    if (length < 0) return damaged;
    // The padding was decoded to zero bytes.
    const std::size_t padding = encoded.ends_with("==") ? 2 : encoded.ends_with('=') ? 1 : 0;
    sealed.resize(static_cast<std::size_t>(length) - padding);
    return sealed;
}

}  // namespace icos
