// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sim_disk.hpp"

#include <functional>
#include <memory>
#include <string>

namespace icos::sim {

/// SQLite on a SimDisk: a VFS registered under a name of its own for as long as this object lives. Locks and
/// the shared memory of the write-ahead log live in the process, so they go with it as those of a real one
/// do. Syncs are named `<role>.database`, `.wal`, `.journal` and `.directory`. The disk must outlive it, it
/// the connections.
class SimVfs {
public:
    /// `now_ms` gives civil time, `random` fills a buffer.
    SimVfs(SimDisk& disk, std::function<std::int64_t()> now_ms, std::function<void(std::string&)> random);
    ~SimVfs();
    SimVfs(const SimVfs&) = delete;
    SimVfs& operator=(const SimVfs&) = delete;

    const std::string& name() const noexcept;

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
};

/// SQLite draws from one generator per program: seeds it, so that a run does not depend on the one before.
void seed_sqlite(std::uint64_t seed);

}  // namespace icos::sim
