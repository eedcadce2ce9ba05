// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace icos::test {

/// An SQLite VFS over the default one whose disk can be filled: then writes fail and nothing is changed. One
/// at a time.
class FullDisk {
public:
    FullDisk();
    ~FullDisk();
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

    static constexpr const char* kName = "icos-full-disk";
    void fill();
    void make_room();
};

}  // namespace icos::test
