// SPDX-License-Identifier: Apache-2.0
#include "data_directory.hpp"

#include "icos/core/log.hpp"
#include "icos/store/store.hpp"

#include <cstdlib>

namespace icos::controller {
namespace {

std::string trimmed(std::string text) {
    const std::size_t end = text.find_last_not_of(" \r\n\t");
    text.resize(end == std::string::npos ? 0 : end + 1);
    return text;
}

/// The file's first word; `fresh` is written when there is no file.
Result<std::string> read_or_make(Disk& disk, const std::string& path, const std::string& fresh) {
    if (!disk.exists(path)) {
        if (const Result<void> written = write_durably(disk, path, fresh + "\n"); written.has_error())
            return written.error();
        return fresh;
    }
    Result<std::string> text = disk.read_all(path);
    if (text.has_error()) return text.error();
    std::string word = trimmed(std::move(*text));
    if (word.empty())
        return Error{
            errc::invalid, path + " is empty", "restore it from a backup, or remove it to get a new one"
        };
    return word;
}

}  // namespace

Result<Identity> open_data_directory(Runtime& runtime, Disk& disk, const std::string& directory) {
    if (const Result<void> made = disk.make_directory(directory); made.has_error()) {
        Error error = made.error();
        error.hint = "name a directory this user may write: --data-dir DIR";
        return error;
    }
    Identity identity;
    Result<std::string> id = read_or_make(disk, directory + "/controller.id", make_uuid(runtime));
    if (id.has_error()) return id.error();
    identity.controller_id = std::move(*id);
    Result<std::string> token = read_or_make(disk, directory + "/admin.token", random_hex(runtime, 24));
    if (token.has_error()) return token.error();
    identity.admin_token = std::move(*token);
    return identity;
}

Result<Seal> open_seal(Runtime& runtime, Disk& disk, const std::string& directory) {
    const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
    Result<Seal> key = load_seal_key(disk, {credentials == nullptr ? "" : credentials, directory});
    if (key.has_value() || key.error().code != seal_errc::no_key) return key;
    const Result<bool> is_needed = holds_sealed_rows(directory + "/state.db");
    if (is_needed.has_error()) return is_needed.error();
    if (*is_needed) return key;
    Result<Seal> fresh = write_seal_key(disk, directory, random_seal_key(runtime));
    if (fresh.has_value())
        Log("controller").info("made the key that seals secrets", {{"file", directory + "/seal.key"}});
    return fresh;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
    unsigned difference = a.size() == b.size() ? 0U : 1U;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const char other = b.empty() ? '\0' : b[i % b.size()];
        difference |=
            static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other));
    }
    return difference == 0;
}

}  // namespace icos::controller
