// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"
#include "icos/store/disk.hpp"
#include "icos/store/seal.hpp"

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
    std::uint64_t end = 0;       ///< where the next record goes
    std::string cut;             ///< why bytes after `end` were not used; empty when there were none
    bool is_unreadable = false;  ///< whole, but sealed with a key that is not this one
    bool holds_clear = false;    ///< placements that an earlier release wrote unsealed
};

/// Pure; `bytes` may be anything.
Replay replay_accepted_log(std::string_view bytes, const Seal& seal);
/// File header of an empty log.
std::string accepted_log_header();
/// Records that lead from one set to another, with the commit record. Placements are sealed: they carry
/// manifests with secrets and registry credentials. On the control loop.
std::string accepted_log_step(
    Runtime& runtime,
    const Seal& seal,
    const AcceptedSet& from,
    const AcceptedSet& to,
    const std::string& digest
);

/// The node's copy of what it shall run: an append log of checksummed, sealed records, synced before a set
/// counts, compacted when it has grown beyond four times its live size (and 1 MiB). File:
/// `<directory>/accepted.log`. A log that the key does not open is put aside and counts as lost: the set is
/// asked for again, and what runs goes on. Loop-confined; the disk is touched on Pool::storage only.
class AcceptedLog {
public:
    AcceptedLog(Runtime& runtime, Disk& disk, std::string directory);
    ~AcceptedLog();
    AcceptedLog(const AcceptedLog&) = delete;
    AcceptedLog& operator=(const AcceptedLog&) = delete;

    /// Creates or replays the file and cuts a torn tail. core.io, store.full.
    Task<Result<void>> open(std::shared_ptr<const Seal> seal);
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
    /// The log that open() found could not be opened with the key.
    bool was_unreadable() const noexcept { return was_unreadable_; }

private:
    struct OnDisk;
    Task<> compact_if_grown();
    Task<> rewrite();

    Runtime& runtime_;
    std::shared_ptr<OnDisk> disk_;
    std::shared_ptr<const Seal> seal_;
    AcceptedSet set_;
    std::string digest_;
    bool is_whole_ = false;
    bool was_unreadable_ = false;
    std::uint64_t size_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t compactions_ = 0;
};

}  // namespace icos::agent
