// SPDX-License-Identifier: Apache-2.0
#include "full_disk.hpp"

#include <sqlite3.h>

#include <atomic>
#include <map>
#include <stdexcept>

namespace icos::test {
namespace {

// SQLite's interface is C: what its callbacks need is found in objects of this file.
std::atomic<bool> is_full{false};
sqlite3_vfs* real_vfs = nullptr;
/// The real methods and ours: databases and other files have different ones.
std::map<const sqlite3_io_methods*, sqlite3_io_methods> methods;
sqlite3_vfs our_vfs{};

int write_or_fail(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
    if (is_full) return SQLITE_FULL;
    for (const auto& [real, ours] : methods) {
        if (file->pMethods == &ours) return real->xWrite(file, bytes, count, offset);
    }
    return SQLITE_MISUSE;
}

int open_with_our_write(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    const int result = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (result != SQLITE_OK) return result;
    const auto [known, is_new] = methods.try_emplace(file->pMethods, *file->pMethods);
    if (is_new) known->second.xWrite = write_or_fail;
    file->pMethods = &known->second;
    return SQLITE_OK;
}

}  // namespace

FullDisk::FullDisk() {
    real_vfs = sqlite3_vfs_find(nullptr);
    our_vfs = *real_vfs;
    our_vfs.zName = kName;
    our_vfs.pNext = nullptr;
    our_vfs.xOpen = open_with_our_write;
    is_full = false;
    if (sqlite3_vfs_register(&our_vfs, 0) != SQLITE_OK) throw std::runtime_error("cannot register the VFS");
}

FullDisk::~FullDisk() {
    sqlite3_vfs_unregister(&our_vfs);
}

void FullDisk::fill() {
    is_full = true;
}

void FullDisk::make_room() {
    is_full = false;
}

}  // namespace icos::test
