// SPDX-License-Identifier: Apache-2.0
#include "icos/store/disk.hpp"
#include "icos/store/seal.hpp"

#include <algorithm>
#include <span>

namespace icos {
namespace {

constexpr std::string_view kCredential = "/icos-seal-key";
constexpr std::string_view kFile = "/seal.key";

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// 32 raw bytes, or 64 hex digits and white space after them.
Result<Seal> read_key(Disk& disk, const std::string& path) {
    const Result<std::string> bytes = disk.read_all(path);
    if (bytes.has_error()) return bytes.error();
    if (bytes->size() == Seal::kKeyBytes) return Seal(*bytes);
    const std::size_t end = bytes->find_last_not_of(" \r\n\t");
    const std::string_view text = std::string_view(*bytes).substr(0, end == std::string::npos ? 0 : end + 1);
    if (text.size() != 2 * Seal::kKeyBytes || !std::all_of(text.begin(), text.end(), is_hex)) {
        return Error{
            seal_errc::bad_key,
            path + " is not a key: it has " + std::to_string(bytes->size()) + " bytes",
            "a key is 32 random bytes, or 64 hex digits: openssl rand -hex 32"
        };
    }
    std::string key;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
        key.push_back(static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1])));
    }
    return Seal(key);
}

}  // namespace

Result<Seal> load_seal_key(Disk& disk, const SealKeyPlaces& places) {
    if (!places.credentials.empty()) {
        const std::string path = places.credentials + std::string(kCredential);
        if (disk.exists(path)) return read_key(disk, path);
    }
    const std::string path = places.directory + std::string(kFile);
    if (!disk.exists(path)) {
        return Error{
            seal_errc::no_key,
            "there is no key to open sealed data with: " + path + " does not exist",
            "restore it from a backup, or give it as the systemd credential icos-seal-key"
        };
    }
    const Result<unsigned> mode = disk.mode(path);
    if (mode.has_error()) return mode.error();
    if ((*mode & 077U) != 0) {
        return Error{
            seal_errc::exposed,
            path + " may be read by others than its owner",
            "chmod 600 " + path + "; if others could read it, what it seals counts as known"
        };
    }
    return read_key(disk, path);
}

std::string random_seal_key(Runtime& runtime) {
    std::string key(Seal::kKeyBytes, '\0');
    runtime.random_bytes(std::as_writable_bytes(std::span(key)));
    return key;
}

Result<Seal> write_seal_key(Disk& disk, const std::string& directory, const std::string& key) {
    const Result<void> written = write_durably(disk, directory + std::string(kFile), key);
    if (written.has_error()) return written.error();
    return Seal(key);
}

}  // namespace icos
