// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"
#include "icos/store/disk.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace icos::agent {

using AcceptedSet = std::map<PlacementId, DesiredPlacement>;

/// What a log file says. The set is that of the last complete commit record; whatever follows it was being
/// written when the power went and does not count.
struct Replay {
    AcceptedSet set;
    std::string digest;
    std::uint64_t end = 0;  ///< where the next record goes
    std::string cut;        ///< why bytes after `end` were not used; empty when there were none
};

/// Pure; `bytes` may be anything.
Replay replay_accepted_log(std::string_view bytes);
/// File header of an empty log.
std::string accepted_log_header();
/// Records that lead from one set to another, with the commit record.
std::string accepted_log_step(const AcceptedSet& from, const AcceptedSet& to, const std::string& digest);

/// The node's copy of what it shall run: an append log of checksummed records, synced before a set counts,
/// compacted when it has grown beyond four times its live size (and 1 MiB). File: `<directory>/accepted.log`.
/// Loop-confined; the disk is touched on Pool::storage only.
class AcceptedLog {
public:
    AcceptedLog(Runtime& runtime, Disk& disk, std::string directory);
    ~AcceptedLog();
    AcceptedLog(const AcceptedLog&) = delete;
    AcceptedLog& operator=(const AcceptedLog&) = delete;

    /// Creates or replays the file and cuts a torn tail. core.io, store.full.
    Task<Result<void>> open();
    /// Makes `next` the accepted set; on an error (store.full, core.io) the old one stays. One call at a
    /// time.
    Task<Result<void>> accept(AcceptedSet next, std::string digest);

    const AcceptedSet& set() const noexcept { return set_; }
    /// False when the file was new or its tail was cut: the set may lack what a controller knows was
    /// accepted.
    bool is_whole() const noexcept { return is_whole_; }
    /// desired_digest(set()), also before the first accept.
    const std::string& digest() const noexcept { return digest_; }
    /// Bytes written to the file since open(): what the flash pays.
    std::uint64_t bytes_written() const noexcept { return bytes_written_; }
    std::uint64_t size() const noexcept { return size_; }
    std::uint64_t compactions() const noexcept { return compactions_; }

private:
    struct OnDisk;
    Task<> compact_if_grown();

    Runtime& runtime_;
    std::shared_ptr<OnDisk> disk_;
    AcceptedSet set_;
    std::string digest_;
    bool is_whole_ = false;
    std::uint64_t size_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t compactions_ = 0;
};

}  // namespace icos::agent
