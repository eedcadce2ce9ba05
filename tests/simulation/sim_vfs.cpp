// SPDX-License-Identifier: Apache-2.0
#include "sim_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <vector>

namespace icos::sim {
namespace {

/// Locks on one database file. Connections are told apart by their sqlite3_file.
struct FileLocks {
    std::map<const void*, int> held;  ///< SQLITE_LOCK_*
    int highest_of_others(const void* self) const {
        int highest = SQLITE_LOCK_NONE;
        for (const auto& [who, level] : held) {
            if (who != self) highest = std::max(highest, level);
        }
        return highest;
    }
};

struct SharedMemory {
    std::vector<std::unique_ptr<char[]>> regions;
    std::map<const void*, std::pair<unsigned, unsigned>> held;  ///< shared mask, exclusive mask
};

}  // namespace

struct SimVfs::Impl {
    SimDisk& disk;
    std::function<std::int64_t()> now_ms;
    std::function<void(std::string&)> random;
    std::string name;
    sqlite3_vfs vfs{};
    std::map<std::string, FileLocks> locks;
    std::map<std::string, SharedMemory> memory;
};

namespace {

struct OpenedFile {
    sqlite3_file base{};  // first: SQLite sees only this
    SimVfs::Impl* vfs = nullptr;
    std::shared_ptr<SimDisk::Inode>* inode = nullptr;
    std::string* path = nullptr;
    std::string* sync_name = nullptr;
    bool delete_on_close = false;
    bool sync_directory = false;
};

OpenedFile& opened(sqlite3_file* file) {
    return *reinterpret_cast<OpenedFile*>(file);
}
SimVfs::Impl& impl_of(sqlite3_vfs* vfs) {
    return *static_cast<SimVfs::Impl*>(vfs->pAppData);
}

int file_close(sqlite3_file* raw) {
    OpenedFile& file = opened(raw);
    file.vfs->locks[*file.path].held.erase(raw);
    if (file.delete_on_close) static_cast<void>(file.vfs->disk.remove(*file.path));
    delete file.inode;
    delete file.path;
    delete file.sync_name;
    return SQLITE_OK;
}

int file_read(sqlite3_file* raw, void* buffer, int amount, sqlite3_int64 offset) {
    const std::string& content = SimDisk::content(**opened(raw).inode);
    const auto wanted = static_cast<std::size_t>(amount);
    const auto from = static_cast<std::size_t>(offset);
    const std::size_t available = from >= content.size() ? 0 : std::min(wanted, content.size() - from);
    if (available > 0) std::memcpy(buffer, content.data() + from, available);
    if (available == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(buffer) + available, 0, wanted - available);
    return SQLITE_IOERR_SHORT_READ;
}

int file_write(sqlite3_file* raw, const void* buffer, int amount, sqlite3_int64 offset) {
    OpenedFile& file = opened(raw);
    const std::string_view bytes(static_cast<const char*>(buffer), static_cast<std::size_t>(amount));
    const auto written = file.vfs->disk.write(*file.inode, static_cast<std::uint64_t>(offset), bytes);
    return written.has_error() ? SQLITE_FULL : SQLITE_OK;
}

int file_truncate(sqlite3_file* raw, sqlite3_int64 size) {
    OpenedFile& file = opened(raw);
    file.vfs->disk.truncate(**file.inode, static_cast<std::uint64_t>(size));
    return SQLITE_OK;
}

std::string directory_name(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

int file_sync(sqlite3_file* raw, int) {
    OpenedFile& file = opened(raw);
    file.vfs->disk.sync(**file.inode, *file.sync_name);
    // As the unix VFS does: the first sync of a new log or journal makes its name durable too.
    if (file.sync_directory) {
        file.vfs->disk.sync_names(directory_name(*file.path), file.vfs->disk.role() + ".directory");
        file.sync_directory = false;
    }
    return SQLITE_OK;
}

int file_size(sqlite3_file* raw, sqlite3_int64* size) {
    *size = static_cast<sqlite3_int64>(SimDisk::content(**opened(raw).inode).size());
    return SQLITE_OK;
}

int file_lock(sqlite3_file* raw, int level) {
    OpenedFile& file = opened(raw);
    FileLocks& locks = file.vfs->locks[*file.path];
    int& mine = locks.held[raw];
    if (mine >= level) return SQLITE_OK;
    const int others = locks.highest_of_others(raw);
    const bool refused = (level == SQLITE_LOCK_SHARED && others >= SQLITE_LOCK_PENDING) ||
                         (level == SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED) ||
                         (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED);
    if (refused) return SQLITE_BUSY;
    mine = level;
    return SQLITE_OK;
}

int file_unlock(sqlite3_file* raw, int level) {
    OpenedFile& file = opened(raw);
    int& mine = file.vfs->locks[*file.path].held[raw];
    mine = std::min(mine, level);
    return SQLITE_OK;
}

int file_check_reserved(sqlite3_file* raw, int* result) {
    OpenedFile& file = opened(raw);
    const FileLocks& locks = file.vfs->locks[*file.path];
    *result = 0;
    for (const auto& [who, level] : locks.held) *result |= level >= SQLITE_LOCK_RESERVED ? 1 : 0;
    return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}
int file_sector_size(sqlite3_file*) {
    return 512;
}
int file_characteristics(sqlite3_file*) {
    return 0;
}

int shm_map(sqlite3_file* raw, int region, int size, int extend, void volatile** out) {
    OpenedFile& file = opened(raw);
    SharedMemory& memory = file.vfs->memory[*file.path];
    const auto index = static_cast<std::size_t>(region);
    *out = nullptr;
    if (index >= memory.regions.size()) {
        if (extend == 0) return SQLITE_OK;
        while (memory.regions.size() <= index) {
            memory.regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
        }
    }
    *out = memory.regions[index].get();
    return SQLITE_OK;
}

int shm_lock(sqlite3_file* raw, int offset, int count, int flags) {
    OpenedFile& file = opened(raw);
    SharedMemory& memory = file.vfs->memory[*file.path];
    const unsigned mask = ((1U << static_cast<unsigned>(count)) - 1U) << static_cast<unsigned>(offset);
    auto& [shared, exclusive] = memory.held[raw];
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        shared &= ~mask;
        exclusive &= ~mask;
        return SQLITE_OK;
    }
    const bool wants_exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    for (const auto& [who, masks] : memory.held) {
        if (who == raw) continue;
        const unsigned conflicting = wants_exclusive ? masks.first | masks.second : masks.second;
        if ((conflicting & mask) != 0) return SQLITE_BUSY;
    }
    (wants_exclusive ? exclusive : shared) |= mask;
    return SQLITE_OK;
}

void shm_barrier(sqlite3_file*) {}

int shm_unmap(sqlite3_file* raw, int delete_it) {
    OpenedFile& file = opened(raw);
    const auto it = file.vfs->memory.find(*file.path);
    if (it == file.vfs->memory.end()) return SQLITE_OK;
    it->second.held.erase(raw);
    if (delete_it != 0) file.vfs->memory.erase(it);
    return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {
    2,
    file_close,
    file_read,
    file_write,
    file_truncate,
    file_sync,
    file_size,
    file_lock,
    file_unlock,
    file_check_reserved,
    file_control,
    file_sector_size,
    file_characteristics,
    shm_map,
    shm_lock,
    shm_barrier,
    shm_unmap,
    nullptr,
    nullptr,
};

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* raw, int flags, int* out_flags) {
    SimVfs::Impl& impl = impl_of(vfs);
    static_assert(sizeof(OpenedFile) < 256);
    raw->pMethods = nullptr;
    static std::atomic<std::uint64_t> temporary{0};
    const std::string path = name != nullptr ? name : "temporary-" + std::to_string(++temporary);
    auto inode = impl.disk.find(path);
    bool created = false;
    if (!inode) {
        if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
        if (impl.disk.full() || impl.disk.refuses()) return SQLITE_FULL;
        inode = impl.disk.create(path);
        created = true;
    }
    OpenedFile file;
    file.vfs = &impl;
    const bool is_log =
        (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)) != 0;
    const char* part = (flags & SQLITE_OPEN_WAL) != 0 ? ".wal" : is_log ? ".journal" : ".database";
    file.sync_directory = is_log && created;
    file.delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    file.inode = new std::shared_ptr<SimDisk::Inode>(std::move(inode));
    file.path = new std::string(path);
    file.sync_name = new std::string(impl.disk.role() + part);
    file.base.pMethods = &kMethods;
    std::memcpy(static_cast<void*>(raw), static_cast<const void*>(&file), sizeof file);
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
    SimVfs::Impl& impl = impl_of(vfs);
    if (!impl.disk.exists(name)) return SQLITE_IOERR_DELETE_NOENT;
    static_cast<void>(impl.disk.remove(name));
    if (sync_directory != 0) impl.disk.sync_names(directory_name(name), impl.disk.role() + ".directory");
    return SQLITE_OK;
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int, int* result) {
    *result = impl_of(vfs).disk.exists(name) ? 1 : 0;
    return SQLITE_OK;
}

int vfs_full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    const std::size_t length = std::strlen(name);
    if (length + 1 > static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
    std::memcpy(out, name, length + 1);
    return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs* vfs, int size, char* out) {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    impl_of(vfs).random(bytes);
    std::memcpy(out, bytes.data(), bytes.size());
    return size;
}

// Nothing sleeps in virtual time: a lock that is not free now stays so until its holder ran.
int vfs_sleep(sqlite3_vfs*, int microseconds) {
    return microseconds;
}

int vfs_current_time_int64(sqlite3_vfs* vfs, sqlite3_int64* now) {
    constexpr sqlite3_int64 kUnixEpochInJulianMs = 24405875LL * 8640000LL;
    *now = kUnixEpochInJulianMs + impl_of(vfs).now_ms();
    return SQLITE_OK;
}

int vfs_current_time(sqlite3_vfs* vfs, double* now) {
    sqlite3_int64 ms = 0;
    vfs_current_time_int64(vfs, &ms);
    *now = static_cast<double>(ms) / 86'400'000.0;
    return SQLITE_OK;
}

int vfs_last_error(sqlite3_vfs*, int, char*) {
    return 0;
}

}  // namespace

SimVfs::SimVfs(SimDisk& disk, std::function<std::int64_t()> now_ms, std::function<void(std::string&)> random)
    : impl_(new Impl{disk, std::move(now_ms), std::move(random), {}, {}, {}, {}}) {
    static std::atomic<std::uint64_t> number{0};
    impl_->name = "icos-sim-" + std::to_string(++number);
    sqlite3_vfs& vfs = impl_->vfs;
    vfs.iVersion = 2;
    vfs.szOsFile = sizeof(OpenedFile);
    vfs.mxPathname = 512;
    vfs.zName = impl_->name.c_str();
    vfs.pAppData = impl_.get();
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    vfs.xFullPathname = vfs_full_path;
    vfs.xRandomness = vfs_randomness;
    vfs.xSleep = vfs_sleep;
    vfs.xCurrentTime = vfs_current_time;
    vfs.xGetLastError = vfs_last_error;
    vfs.xCurrentTimeInt64 = vfs_current_time_int64;
    sqlite3_vfs_register(&vfs, 0);
}

SimVfs::~SimVfs() {
    sqlite3_vfs_unregister(&impl_->vfs);
}

const std::string& SimVfs::name() const noexcept {
    return impl_->name;
}

void seed_sqlite(std::uint64_t seed) {
    sqlite3_initialize();
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed | 1U), nullptr);
}

}  // namespace icos::sim
