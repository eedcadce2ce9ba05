// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"
#include "icos/async/runtime.hpp"
#include "icos/store/disk.hpp"
#include "node_records.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace icos::agent {

/// Looks after the node's disks: the one of the agent's own state, and the one where the engine keeps images
/// and volumes. While the engine's is nearly full, images that this agent pulled and that neither the current
/// nor the previous content of any placement needs are removed, and nothing new is pulled. (Logs come first
/// in being cut: containers get a log of bounded size when they are made.) Of its own disk the agent keeps a
/// reserve file, which the accepted log gives up when it has to. Ends by itself when there is space again.
/// Loop-confined; keep it by shared_ptr.
class DiskWatch : public std::enable_shared_from_this<DiskWatch> {
public:
    struct Limits {
        std::uint64_t own = 16ULL << 20U;      ///< bytes free on the state's disk; below: nearly full
        std::uint64_t engine = 256ULL << 20U;  ///< the same for the engine's
    };
    DiskWatch(Runtime& runtime, Disk& disk, Engine& engine, NodeRecords& records, std::string directory);

    /// One look; prunes if it must. `data_root` empty: the engine's disk is not known.
    static Task<> look(std::shared_ptr<DiskWatch> self, std::string data_root);
    /// What is wrong and what to do, for people; empty: nothing. Without figures that change all the time.
    const std::string& problem() const noexcept { return problem_; }
    /// engine.no_space while nothing may be pulled.
    Result<void> may_pull() const;
    bool is_low() const noexcept { return !problem_.empty(); }

    struct Counters {
        std::optional<std::uint64_t> own_free;
        std::optional<std::uint64_t> engine_free;
        std::uint64_t pruned = 0;
    };
    const Counters& counters() const noexcept { return counters_; }

private:
    static Task<> prune(std::shared_ptr<DiskWatch> self, std::string data_root);
    Task<std::optional<std::uint64_t>> free_on(std::string path);

    Runtime& runtime_;
    Disk& disk_;
    Engine& engine_;
    NodeRecords& records_;
    std::string directory_;
    Limits limits_;
    std::string data_root_;
    std::string problem_;
    bool is_engine_low_ = false;
    Counters counters_;
};

/// A file that only takes up space, so that there is some when the disk is full otherwise. Both run on
/// Pool::storage.
inline constexpr std::uint64_t kReserveBytes = 256ULL << 10U;
std::string reserve_path(const std::string& directory);
/// Makes the file if it is absent and the disk has plenty. A full disk is not an error.
void hold_reserve(Disk& disk, const std::string& directory);
/// Whether there was one to give up.
bool give_up_reserve(Disk& disk, const std::string& directory);

}  // namespace icos::agent
