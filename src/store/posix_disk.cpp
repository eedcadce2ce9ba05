// SPDX-License-Identifier: Apache-2.0
#include "icos/store/disk.hpp"
#include "icos/store/store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace icos {
namespace {

Error failure(const std::string& path, int number) {
    const std::string detail = path + ": " + std::strerror(number);
    if (number == ENOSPC || number == EDQUOT) {
        return Error{store_errc::full, detail, "free space on this file system"};
    }
    if (number == ENOENT) return Error{errc::not_found, detail};
    return Error{errc::io, detail};
}

class PosixFile final : public File {
public:
    PosixFile(int file, std::string path) : file_(file), path_(std::move(path)) {}
    ~PosixFile() override { ::close(file_); }
    PosixFile(const PosixFile&) = delete;
    PosixFile& operator=(const PosixFile&) = delete;

    Result<std::uint64_t> size() override {
        struct stat status{};
        if (::fstat(file_, &status) != 0) return failure(path_, errno);
        return static_cast<std::uint64_t>(status.st_size);
    }
    Result<std::string> read(std::uint64_t offset, std::size_t length) override {
        // In pieces: callers may ask for far more than there is.
        constexpr std::size_t kPiece = 64U << 10U;
        std::string bytes;
        while (bytes.size() < length) {
            const std::size_t have = bytes.size();
            bytes.resize(have + std::min(kPiece, length - have));
            const ssize_t got =
                ::pread(file_, bytes.data() + have, bytes.size() - have, static_cast<off_t>(offset + have));
            const int number = errno;
            bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            if (got < 0 && number == EINTR) continue;
            if (got < 0) return failure(path_, number);
            if (got == 0) break;
        }
        return bytes;
    }
    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        while (!bytes.empty()) {
            const ssize_t put = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return failure(path_, errno);
            bytes.remove_prefix(static_cast<std::size_t>(put));
            offset += static_cast<std::uint64_t>(put);
        }
        return {};
    }
    Result<void> truncate(std::uint64_t size) override {
        if (::ftruncate(file_, static_cast<off_t>(size)) != 0) return failure(path_, errno);
        return {};
    }
    Result<void> sync() override {
        if (::fdatasync(file_) != 0) return failure(path_, errno);
        return {};
    }

private:
    int file_;
    std::string path_;
};

class PosixDisk final : public Disk {
public:
    Result<std::unique_ptr<File>> open(const std::string& path) override {
        const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0) return failure(path, errno);
        return std::unique_ptr<File>(std::make_unique<PosixFile>(file, path));
    }
    Result<std::string> read_all(const std::string& path) override {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) return failure(path, errno);
        // To the end and not by the size, which files of /proc and /sys do not tell.
        PosixFile file(descriptor, path);
        return file.read(0, std::numeric_limits<std::size_t>::max());
    }
    bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }
    Result<void> rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) return failure(from, errno);
        return {};
    }
    Result<void> remove(const std::string& path) override {
        if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
        if (errno == EISDIR && (::rmdir(path.c_str()) == 0 || errno == ENOENT)) return {};
        return failure(path, errno);
    }
    Result<void> sync_directory(const std::string& directory) override {
        const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0) return failure(directory, errno);
        const int synced = ::fsync(descriptor);
        const int number = errno;
        ::close(descriptor);
        if (synced != 0) return failure(directory, number);
        return {};
    }
    Result<void> make_directory(const std::string& path) override {
        for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
             slash = path.find('/', slash + 1)) {
            const std::string parent = path.substr(0, slash);
            if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) return failure(parent, errno);
        }
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failure(path, errno);
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) return failure(path, errno);
        if (!S_ISDIR(status.st_mode)) return failure(path, ENOTDIR);
        return {};
    }
    Result<std::vector<std::string>> list(const std::string& directory) override {
        DIR* handle = ::opendir(directory.c_str());
        if (handle == nullptr) return failure(directory, errno);
        std::vector<std::string> names;
        while (const dirent* entry = ::readdir(handle)) {
            const std::string_view name(entry->d_name);
            if (name != "." && name != "..") names.emplace_back(name);
        }
        ::closedir(handle);
        std::sort(names.begin(), names.end());
        return names;
    }
    Result<std::uint64_t> free_bytes(const std::string& path) override {
        struct statvfs status{};
        if (::statvfs(path.c_str(), &status) != 0) return failure(path, errno);
        return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
    }
    Result<unsigned> mode(const std::string& path) override {
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) return failure(path, errno);
        return static_cast<unsigned>(status.st_mode & 07777U);
    }
    Result<void> set_owner(const std::string& path, const FileOwner& owner) override {
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) return failure(path, errno);
        const uid_t uid = owner.uid.value_or(status.st_uid);
        const gid_t gid = owner.gid.value_or(status.st_gid);
        const bool differs = status.st_uid != uid || status.st_gid != gid;
        if (differs && ::chown(path.c_str(), uid, gid) != 0) return failure(path, errno);
        if (::chmod(path.c_str(), static_cast<mode_t>(owner.mode)) != 0) return failure(path, errno);
        return {};
    }
};

}  // namespace

std::unique_ptr<Disk> make_posix_disk() {
    return std::make_unique<PosixDisk>();
}

Result<void> write_durably(Disk& disk, const std::string& path, std::string_view bytes) {
    const std::string aside = path + ".new";
    if (Result<void> removed = disk.remove(aside); removed.has_error()) return removed;
    {
        Result<std::unique_ptr<File>> file = disk.open(aside);
        if (file.has_error()) return file.error();
        if (Result<void> written = (*file)->write(0, bytes); written.has_error()) return written;
        if (Result<void> synced = (*file)->sync(); synced.has_error()) return synced;
    }
    if (Result<void> renamed = disk.rename(aside, path); renamed.has_error()) return renamed;
    const std::size_t slash = path.rfind('/');
    return disk.sync_directory(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace icos
