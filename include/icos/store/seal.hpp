// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/core/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace icos {

class Disk;

/// seal.no_key (there is no key, and none may be made), seal.bad_key (not 32 bytes), seal.exposed (others may
/// read the key file), seal.other_key (sealed with another key), seal.damaged (not what was sealed, or not
/// sealed for this place).
enum class seal_errc { no_key = 1, bad_key, exposed, other_key, damaged };
const ErrorDomain& seal_domain() noexcept;
inline boost::system::error_code make_error_code(seal_errc e) noexcept {
    return {static_cast<int>(e), seal_domain()};
}

/// Seals what must not be readable on a disk or in a backup: AES-256-GCM with a random nonce. Immutable.
/// A sealed value is
///
///     version (1 byte, 1) | key id (8 bytes) | nonce (12 bytes) | ciphertext | tag (16 bytes)
///
/// and authenticates its context ("kind/id"), so that it cannot be put in another one's place.
class Seal {
public:
    static constexpr std::size_t kKeyBytes = 32;
    /// A sealed value is this many bytes longer than what it holds.
    static constexpr std::size_t kOverhead = 1 + 8 + 12 + 16;

    /// `key` has kKeyBytes; use of it is split by purpose, so that one key serves sealing and naming.
    explicit Seal(std::string_view key);

    /// Tells keys apart without telling anything of them: 16 hex digits.
    const std::string& key_id() const noexcept { return id_text_; }
    /// On the control loop: the nonce is the runtime's.
    std::string close(Runtime& runtime, std::string_view plain, std::string_view context) const;
    /// Any thread. seal.other_key, seal.damaged.
    Result<std::string> open(std::string_view sealed, std::string_view context) const;

private:
    std::array<unsigned char, kKeyBytes> cipher_key_{};
    std::string id_;       ///< 8 bytes
    std::string id_text_;  ///< hex
};

/// A sealed value as one line of text, for columns and files of text: "sealed:1:<key id>:<base64>".
std::string to_sealed_text(const Seal& seal, std::string_view sealed);
bool is_sealed_text(std::string_view text) noexcept;
/// Key id of a text for which is_sealed_text() holds; empty if it has none.
std::string_view key_id_of(std::string_view sealed_text) noexcept;
/// seal.damaged if it is no sealed text.
Result<std::string> from_sealed_text(std::string_view text);

/// Where a program's key is looked for.
struct SealKeyPlaces {
    /// $CREDENTIALS_DIRECTORY of systemd, or empty; its file `icos-seal-key` comes first.
    std::string credentials;
    /// The program's own directory: `seal.key`, mode 0600, made at the first start.
    std::string directory;
};
/// Reads the key: 32 bytes, or 64 hex digits. Blocking, at start. seal.no_key when there is none;
/// seal.bad_key, seal.exposed, core.io.
Result<Seal> load_seal_key(Disk& disk, const SealKeyPlaces& places);
/// kKeyBytes random bytes. On the control loop.
std::string random_seal_key(Runtime& runtime);
/// Writes `<directory>/seal.key`, durably. The caller has made sure that nothing is sealed with a key that
/// was lost. Blocking. core.io, store.full.
Result<Seal> write_seal_key(Disk& disk, const std::string& directory, const std::string& key);

}  // namespace icos

template <>
struct boost::system::is_error_code_enum<icos::seal_errc> : std::true_type {};
