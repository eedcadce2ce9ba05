// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/store/disk.hpp"
#include "rng.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace icos::sim {

/// How a machine or process ended, as its disk feels it.
enum class Ending {
    kill,        ///< the process only: what it wrote is in the page cache and stays
    orderly,     ///< a reboot that syncs everything first
    power_loss,  ///< what was not synced survives wholly, partly, torn, or not at all
};

/// Which syncs lie, and which were called: shared by all disks of a world.
struct SyncLedger {
    std::string ignored;                          ///< name of the sync that does nothing
    std::map<std::string, std::uint64_t> called;  ///< name -> calls
};

/// A disk with a page cache. A write is in the cache at once and on the platter after a sync of the file; a
/// name (creation, rename, removal) is on the platter after a sync of its directory. At a power loss each
/// file keeps what was synced and, of the rest, nothing, everything, a prefix, or any 512-byte sectors; each
/// directory keeps a prefix of its unsynced changes. What is below /run is in memory: only a killed process
/// leaves it.
///
/// Syncs are named `<role>.<file name with '_' for '.'>` ("agent.accepted_log") and `<role>.directory`.
class SimDisk final : public Disk {
public:
    SimDisk(std::string role, std::shared_ptr<SyncLedger> ledger);

    Result<std::unique_ptr<File>> open(const std::string& path) override;
    Result<std::string> read_all(const std::string& path) override;
    bool exists(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> sync_directory(const std::string& directory) override;
    Result<void> make_directory(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<std::uint64_t> free_bytes(const std::string& path) override;
    Result<unsigned> mode(const std::string& path) override;
    /// Whose a file is, is nobody's business here: there is one user.
    Result<void> set_owner(const std::string& path, const FileOwner& owner) override;

    /// The disk that a next process finds. This one may go on being written to; nobody will see it.
    std::unique_ptr<SimDisk> after(Ending ending, Rng& rng) const;

    /// A power loss of which every detail is chosen instead of drawn.
    struct PowerCut {
        std::uint64_t bytes = 0;       ///< of the last write: how much of it reached the platter
        bool rest_survives = false;    ///< all else that was not synced is there; otherwise none of it
        bool length_survives = false;  ///< the file has its new length, zeros where bytes are missing
    };
    std::unique_ptr<SimDisk> after(const PowerCut& cut) const;
    /// Bytes of the latest change if it was a write; 0 if it was anything else.
    std::uint64_t last_write() const noexcept;
    /// Same for equal files with equal content.
    std::uint64_t fingerprint() const;

    /// Calls `then` at the end of the `operations`-th change from now (write, sync, rename …).
    void arm(std::uint64_t operations, std::function<void()> then);
    void disarm() { armed_ = nullptr; }
    /// Calls `watcher` at the end of every change.
    void watch(std::function<void()> watcher) { watcher_ = std::move(watcher); }
    /// The `number`-th write or creation from now on finds no space: half of a write is made, then it fails.
    /// Once, or every one from then on, until `number` is 0.
    void refuse_write(std::uint64_t number, bool from_then_on);
    /// Counts an attempt to take space; true if there is none for it.
    bool refuses();
    std::uint64_t writes() const noexcept { return writes_; }  ///< writes and creations that were tried

    void set_full(bool full) noexcept { full_ = full; }
    bool full() const noexcept { return full_; }
    std::uint64_t bytes_written() const noexcept { return bytes_written_; }
    /// Whether a file holds `bytes`, as it is in the cache or as it would survive; but for /run, which is in
    /// memory.
    bool holds(const std::string& bytes) const;
    /// True while something written has not been synced.
    bool has_unsynced() const;

    // For the SQLite VFS, which names its syncs after the part of the database.
    struct Inode;
    std::shared_ptr<Inode> find(const std::string& path) const;
    std::shared_ptr<Inode> create(const std::string& path);
    Result<void> write(const std::shared_ptr<Inode>& inode, std::uint64_t offset, std::string_view bytes);
    void truncate(Inode& inode, std::uint64_t size);
    void sync(Inode& inode, const std::string& name);
    void sync_names(const std::string& directory, const std::string& name);
    static const std::string& content(const Inode& inode);
    const std::string& role() const noexcept { return role_; }

private:
    class OpenFile;
    struct NameChange {
        std::string directory;
        std::string path;
        std::shared_ptr<Inode> inode;  ///< null = the name goes
        std::string also_removed;      ///< old name of a rename: one journalled step
    };
    void change_name(NameChange change);
    static void apply(std::map<std::string, std::shared_ptr<Inode>>& names, const NameChange& change);
    std::unique_ptr<SimDisk> image(Ending ending, Rng& rng) const;
    bool lies(const std::string& name);
    void changed();

    std::string role_;
    std::shared_ptr<SyncLedger> ledger_;
    std::map<std::string, std::shared_ptr<Inode>> names_;
    std::map<std::string, std::shared_ptr<Inode>> durable_names_;
    std::vector<NameChange> pending_names_;
    std::set<std::string> directories_;
    bool full_ = false;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t writes_ = 0;
    std::uint64_t refused_write_ = 0;  ///< counted by `writes_`; 0 = none
    bool refuses_from_then_on_ = false;
    std::shared_ptr<Inode> last_written_;  ///< null if the latest change was not a write
    std::uint64_t armed_after_ = 0;
    std::function<void()> armed_;
    std::function<void()> watcher_;
};

}  // namespace icos::sim
