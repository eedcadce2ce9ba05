// SPDX-License-Identifier: Apache-2.0
#include "disk_watch.hpp"

#include "icos/core/log.hpp"

namespace icos::agent {
namespace {

const Log kLog("agent.disk");
constexpr std::uint64_t kPlentyForReserve = 32 * kReserveBytes;

std::string megabytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20U) + " MiB";
}

}  // namespace

std::string reserve_path(const std::string& directory) {
    return directory + "/reserve";
}

void hold_reserve(Disk& disk, const std::string& directory) {
    const std::string path = reserve_path(directory);
    if (disk.exists(path)) return;
    const Result<std::uint64_t> free = disk.free_bytes(directory);
    if (free.has_error() || *free < kPlentyForReserve) return;
    const Result<std::unique_ptr<File>> file = disk.open(path);
    if (file.has_error()) return;
    // Not synced: it has to take up blocks, not to survive.
    const Result<void> written = (*file)->write(0, std::string(kReserveBytes, 'r'));
    if (written.has_error()) (void)disk.remove(path);
}

bool give_up_reserve(Disk& disk, const std::string& directory) {
    const std::string path = reserve_path(directory);
    if (!disk.exists(path)) return false;
    return disk.remove(path).has_value();
}

DiskWatch::DiskWatch(
    Runtime& runtime, Disk& disk, Engine& engine, NodeRecords& records, std::string directory
)
    : runtime_(runtime), disk_(disk), engine_(engine), records_(records), directory_(std::move(directory)) {}

Task<std::optional<std::uint64_t>> DiskWatch::free_on(std::string path) {
    auto work = [&disk = disk_, path] { return disk.free_bytes(path); };
    const Result<std::uint64_t> free = co_await offload(runtime_, Pool::storage, std::move(work));
    // An engine elsewhere, or in another file system's view: unknown, which is no reason to refuse anything.
    if (free.has_error()) co_return std::optional<std::uint64_t>();
    co_return *free;
}

Task<> DiskWatch::look(std::shared_ptr<DiskWatch> self, std::string data_root) {
    self->data_root_ = data_root;
    auto hold = [&disk = self->disk_, directory = self->directory_] { hold_reserve(disk, directory); };
    co_await offload(self->runtime_, Pool::storage, std::move(hold));
    self->counters_.own_free = co_await self->free_on(self->directory_);
    self->counters_.engine_free.reset();
    if (!data_root.empty()) self->counters_.engine_free = co_await self->free_on(data_root);
    const auto is_low = [&self] {
        return self->counters_.engine_free && *self->counters_.engine_free < self->limits_.engine;
    };
    if (is_low()) {
        co_await prune(self, data_root);
        self->counters_.engine_free = co_await self->free_on(data_root);
    }
    self->is_engine_low_ = is_low();
    std::string problem;
    if (self->counters_.own_free && *self->counters_.own_free < self->limits_.own)
        problem =
            "less than " + megabytes(self->limits_.own) + " are free on the disk of " + self->directory_;
    if (self->is_engine_low_) {
        problem += (problem.empty() ? "" : "; ") + ("less than " + megabytes(self->limits_.engine)) +
                   " are free on the engine's disk (" + data_root + "): nothing new is pulled";
    }
    if (problem == self->problem_) co_return;
    if (problem.empty())
        kLog.info("the node's disks have space again");
    else
        kLog.warning("a disk of the node is nearly full", {{"problem", problem}});
    self->problem_ = std::move(problem);
}

Task<> DiskWatch::prune(std::shared_ptr<DiskWatch> self, std::string data_root) {
    const std::vector<std::string> unneeded = self->records_.unneeded_images();
    for (const std::string& reference : unneeded) {
        const Result<void> removed = co_await self->engine_.remove_image(reference);
        if (removed.has_error()) {
            // In use by something that is not ours: it stays ours to remove later.
            if (removed.error().code == engine_errc::conflict) continue;
            kLog.warning("an old image could not be removed", removed.error());
            co_return;
        }
        ++self->counters_.pruned;
        self->records_.forget_image(reference);
        kLog.info("removed an old image", {{"image", reference}, {"disk", data_root}});
    }
    co_await self->records_.save();
}

Result<void> DiskWatch::may_pull() const {
    if (!is_engine_low_) return {};
    return Error{
        engine_errc::no_space,
        "less than " + megabytes(limits_.engine) + " are free on the engine's disk (" + data_root_ + ")",
        "free space there (docker system df shows what takes it), or move the component; it goes on by "
        "itself then"
    };
}

}  // namespace icos::agent
