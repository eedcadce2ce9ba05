// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos {

/// An open file. Synchronous; one thread at a time (Pool::storage). Errors: core.io with path and errno text;
/// storage exhaustion (ENOSPC, EDQUOT) is store.full.
class File {
public:
    virtual ~File() = default;
    virtual Result<std::uint64_t> size() = 0;
    /// Up to `length` bytes from `offset`; shorter only at the end of the file.
    virtual Result<std::string> read(std::uint64_t offset, std::size_t length) = 0;
    virtual Result<void> write(std::uint64_t offset, std::string_view bytes) = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    /// Returns once everything written is durable.
    virtual Result<void> sync() = 0;
};

/// Who may do what with a file.
struct FileOwner {
    std::optional<std::uint32_t> uid{};  ///< absent: as it is
    std::optional<std::uint32_t> gid{};
    unsigned mode = 0600;
    bool operator==(const FileOwner&) const = default;
};

/// The seam to the file system: POSIX in production, a disk that forgets what was not synced in simulation.
class Disk {
public:
    virtual ~Disk() = default;
    /// Opens for reading and writing, creating the file with mode 0600 if it is absent.
    virtual Result<std::unique_ptr<File>> open(const std::string& path) = 0;
    /// The whole file; core.not_found if it does not exist.
    virtual Result<std::string> read_all(const std::string& path) = 0;
    virtual bool exists(const std::string& path) = 0;
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& path
    ) = 0;  ///< a file or an empty directory; absent is fine
    /// Makes creations, renames and removals in `directory` durable.
    virtual Result<void> sync_directory(const std::string& directory) = 0;
    virtual Result<void> make_directory(const std::string& path
    ) = 0;  ///< mode 0700; parents too; present is fine
    virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;  ///< names, sorted
    virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
    virtual Result<unsigned> mode(const std::string& path) = 0;  ///< permission bits
    /// Gives a file or an empty directory to its final owner, with the permission bits last.
    virtual Result<void> set_owner(const std::string& path, const FileOwner& owner) = 0;
};

/// The kernel's file system.
std::unique_ptr<Disk> make_posix_disk();

/// Replaces `path` as a whole and durably: write aside, sync, rename, sync the directory.
Result<void> write_durably(Disk& disk, const std::string& path, std::string_view bytes);

}  // namespace icos
