// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"
#include "process.hpp"
#include "sim_disk.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace icos::sim {

/// Something of the system that keeps state in files, in one life of its process. States are told apart by
/// fingerprints: texts that are equal for equal states.
class DurableKeeper {
public:
    virtual ~DurableKeeper() = default;
    /// Opens it, making it if it is absent; the state that is found.
    virtual Task<Result<std::string>> open() = 0;
    /// Makes the durable change `number` (from 1); the state after it.
    virtual Task<Result<std::string>> change(int number) = 0;
    /// The state that `change(number)` leads to; empty if only it can tell (a key is random).
    virtual std::string expected(int number) = 0;
    virtual Task<> close() { co_return; }
};

/// How to make one, and what to do with it.
struct DurableKind {
    std::string role;  ///< of the disk, see SimDisk
    std::function<std::unique_ptr<DurableKeeper>(SimProcess&, SimDisk&)> make;
    int changes = 0;           ///< per life
    int lives = 1;             ///< each closes in order and is followed by the next
    int unwatched = 0;         ///< changes at first that are not looked at: to get where it is large
    std::uint64_t step = 1;    ///< a write is cut at every multiple of this, and one byte beside each
    bool out_of_order = true;  ///< also: what was written earlier and not synced is not there
};

/// The agent's accepted set, small or about to be compacted.
DurableKind small_accepted_log();
DurableKind grown_accepted_log();
DurableKind node_records();
/// Controller: id and admin token; certificate authority and operator's certificate.
DurableKind data_directory();
DurableKind certificate_authority();
/// Node: its key, then its identity.
DurableKind node_identity();
/// The controller's store: nodes, join tokens and applications are rows of it.
DurableKind store(std::uint64_t step);

struct SweepResult {
    std::string problem;          ///< what was broken, and where; empty if nothing
    std::uint64_t changes = 0;    ///< of the disk that were looked at
    std::uint64_t cases = 0;      ///< different images, or refused writes, that were recovered from
    std::set<std::string> syncs;  ///< that were called, by name
};

/// Loses power at every change of the disk and at every offset of every write, then opens what is left: it
/// has to hold what was acknowledged, or what was being written as a whole, and to go on. `ignored_sync` does
/// nothing.
SweepResult cut_power_everywhere(const DurableKind& kind, const std::string& ignored_sync = {});
/// Lets each write find no space, once or from then on: the change is refused with store.full, what was
/// acknowledged is there and readable, now and after a restart, and changes work once there is space.
SweepResult fill_disk_everywhere(const DurableKind& kind, bool for_good);

}  // namespace icos::sim
