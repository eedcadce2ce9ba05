// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace icos::link {

using Sha256 = std::array<std::uint8_t, 32>;

/// SHA-256 of the bytes. Any thread; throws std::runtime_error if OpenSSL has no SHA-256.
Sha256 sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
/// HMAC-SHA-256, for hashes of what must not be found by guessing.
std::string hmac_sha256_hex(std::string_view key, std::string_view bytes);
/// Lower-case hex.
std::string to_hex(std::string_view bytes);
/// RFC 4648 section 5, without padding: what join tokens are written in.
std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

/// A join token: `icos1.<base64url of the CA's SPKI SHA-256>.<base64url of the secret>`.
struct JoinToken {
    std::string ca_pin;  ///< lower-case hex, as http::Endpoint::pin takes it
    std::string secret;  ///< raw bytes
};
std::string format_join_token(const JoinToken& token);
/// nullopt unless the text has that form: a pin of 32 bytes, a secret of 8 to 64.
std::optional<JoinToken> parse_join_token(std::string_view text);

}  // namespace icos::link
