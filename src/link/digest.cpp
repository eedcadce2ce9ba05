// SPDX-License-Identifier: Apache-2.0
#include "icos/link/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdexcept>

namespace icos::link {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kTokenPrefix = "icos1.";
constexpr std::size_t kPinBytes = 32;

std::string from_hex(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
        out.push_back(static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1])));
    }
    return out;
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
    Sha256 out{};
    unsigned length = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &length, EVP_sha256(), nullptr) != 1 ||
        length != out.size()) {
        throw std::runtime_error("OpenSSL refused to compute SHA-256");
    }
    return out;
}

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(digits[byte >> 4U]);
        out.push_back(digits[byte & 15U]);
    }
    return out;
}

std::string sha256_hex(std::string_view bytes) {
    const Sha256 digest = sha256(bytes);
    return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string hmac_sha256_hex(std::string_view key, std::string_view bytes) {
    Sha256 out{};
    unsigned length = 0;
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    if (HMAC(
            EVP_sha256(), key.data(), static_cast<int>(key.size()), data, bytes.size(), out.data(), &length
        ) == nullptr ||
        length != out.size()) {
        throw std::runtime_error("OpenSSL refused to compute HMAC-SHA-256");
    }
    return to_hex({reinterpret_cast<const char*>(out.data()), out.size()});
}

std::string to_base64url(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : bytes) {
        bits = bits << 8U | static_cast<unsigned char>(c);
        count += 8;
        while (count >= 6) {
            count -= 6;
            out.push_back(kAlphabet[bits >> count & 63U]);
        }
    }
    if (count > 0) out.push_back(kAlphabet[bits << (6 - count) & 63U]);
    return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const auto value = kAlphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6U | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>(bits >> count & 255U));
        }
    }
    // One text per value: left-over bits must be zero and fewer than a character's worth.
    if (count >= 6 || (bits & ((1U << count) - 1U)) != 0) return std::nullopt;
    return out;
}

std::string format_join_token(const JoinToken& token) {
    return std::string(kTokenPrefix) + to_base64url(from_hex(token.ca_pin)) + "." +
           to_base64url(token.secret);
}

std::optional<JoinToken> parse_join_token(std::string_view text) {
    if (!text.starts_with(kTokenPrefix)) return std::nullopt;
    text.remove_prefix(kTokenPrefix.size());
    const auto dot = text.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto pin = from_base64url(text.substr(0, dot));
    auto secret = from_base64url(text.substr(dot + 1));
    if (!pin || pin->size() != kPinBytes || !secret || secret->size() < 8 || secret->size() > 64)
        return std::nullopt;
    return JoinToken{.ca_pin = to_hex(*pin), .secret = std::move(*secret)};
}

}  // namespace icos::link
