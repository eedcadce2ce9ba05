// SPDX-License-Identifier: Apache-2.0
#include "sim_disk.hpp"

#include "icos/store/store.hpp"

#include <algorithm>
#include <utility>

namespace icos::sim {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::uint64_t kFree = 8ULL << 30U;

struct PendingWrite {
    std::uint64_t offset = 0;
    std::string bytes;
    bool is_truncate = false;  ///< offset is the new size
};

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

/// "state/accepted.log" -> "accepted_log".
std::string label_of(const std::string& path) {
    std::string name = path.substr(path.rfind('/') + 1);
    std::replace(name.begin(), name.end(), '.', '_');
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

Error full_error(const std::string& role) {
    return Error{store_errc::full, "no space left on the disk of the " + role, "free some space"};
}

void put(std::string& content, std::uint64_t offset, std::string_view bytes) {
    const std::size_t end = static_cast<std::size_t>(offset) + bytes.size();
    if (content.size() < end) content.resize(end, '\0');
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void apply_write(std::string& content, const PendingWrite& write) {
    if (write.is_truncate) {
        content.resize(static_cast<std::size_t>(write.offset), '\0');
    } else {
        put(content, write.offset, write.bytes);
    }
}

}  // namespace

namespace {
constexpr std::string_view kInMemory = "/run/";
}

struct SimDisk::Inode {
    std::string content;
    std::string durable;
    std::vector<PendingWrite> pending;

    void settle() {
        for (const auto& write : pending) apply_write(durable, write);
        pending.clear();
    }
    /// What a power loss leaves.
    std::string torn(Rng& rng) const {
        std::string left = durable;
        const std::uint64_t mode = rng.below(8);
        if (mode <= 1) return left;     // nothing of it
        if (mode == 2) return content;  // all of it
        const std::size_t whole =
            mode <= 4 ? rng.below(pending.size() + 1) : 0;  // a prefix, then a torn write
        for (std::size_t i = 0; i < pending.size(); ++i) {
            if (mode <= 4 && i > whole) break;
            const PendingWrite& write = pending[i];
            if (i < whole || write.is_truncate) {
                // A later truncation that survived alone still never brings bytes back.
                if (!write.is_truncate || i < whole || rng.one_in(2)) apply_write(left, write);
                continue;
            }
            for (std::size_t at = 0; at < write.bytes.size();) {
                const std::size_t sector_end =
                    kSector - (static_cast<std::size_t>(write.offset) + at) % kSector;
                const std::size_t length = std::min(sector_end, write.bytes.size() - at);
                if (rng.one_in(2)) {
                    put(left, write.offset + at, std::string_view(write.bytes).substr(at, length));
                }
                at += length;
            }
        }
        return left;
    }
};

class SimDisk::OpenFile final : public File {
public:
    OpenFile(SimDisk& disk, std::shared_ptr<Inode> inode, std::string path)
        : disk_(disk), inode_(std::move(inode)), path_(std::move(path)) {}
    Result<std::uint64_t> size() override { return inode_->content.size(); }
    Result<std::string> read(std::uint64_t offset, std::size_t length) override {
        if (offset >= inode_->content.size()) return std::string();
        return inode_->content.substr(static_cast<std::size_t>(offset), length);
    }
    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        return disk_.write(inode_, offset, bytes);
    }
    Result<void> truncate(std::uint64_t size) override {
        disk_.truncate(*inode_, size);
        return {};
    }
    Result<void> sync() override {
        disk_.sync(*inode_, disk_.role_ + "." + label_of(path_));
        return {};
    }

private:
    SimDisk& disk_;
    std::shared_ptr<Inode> inode_;
    std::string path_;
};

SimDisk::SimDisk(std::string role, std::shared_ptr<SyncLedger> ledger)
    : role_(std::move(role)), ledger_(std::move(ledger)) {}

std::shared_ptr<SimDisk::Inode> SimDisk::find(const std::string& path) const {
    const auto it = names_.find(path);
    return it == names_.end() ? nullptr : it->second;
}

const std::string& SimDisk::content(const Inode& inode) {
    return inode.content;
}

std::shared_ptr<SimDisk::Inode> SimDisk::create(const std::string& path) {
    auto inode = std::make_shared<Inode>();
    change_name(NameChange{directory_of(path), path, inode, {}});
    return inode;
}

Result<std::unique_ptr<File>> SimDisk::open(const std::string& path) {
    std::shared_ptr<Inode> inode = find(path);
    if (!inode) {
        if (refuses()) return full_error(role_);
        inode = create(path);
    }
    return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, std::move(inode), path));
}

Result<std::string> SimDisk::read_all(const std::string& path) {
    const auto inode = find(path);
    if (!inode) return Error{errc::not_found, path + " does not exist"};
    return inode->content;
}

bool SimDisk::exists(const std::string& path) {
    return names_.contains(path) || directories_.contains(path);
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
    const auto inode = find(from);
    if (!inode) return Error{errc::io, from + ": cannot be renamed, it does not exist"};
    change_name(NameChange{directory_of(to), to, inode, from});
    return {};
}

Result<void> SimDisk::remove(const std::string& path) {
    if (names_.contains(path)) change_name(NameChange{directory_of(path), path, nullptr, {}});
    return {};
}

Result<void> SimDisk::sync_directory(const std::string& directory) {
    std::string bare = directory;
    while (bare.size() > 1 && bare.ends_with('/')) bare.pop_back();
    sync_names(bare, role_ + ".directory");
    return {};
}

Result<void> SimDisk::make_directory(const std::string& path) {
    directories_.insert(path);
    return {};
}

Result<std::vector<std::string>> SimDisk::list(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& [path, inode] : names_) {
        if (directory_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
    }
    return names;
}

Result<std::uint64_t> SimDisk::free_bytes(const std::string&) {
    return full_ ? 0 : kFree;
}

Result<unsigned> SimDisk::mode(const std::string& path) {
    if (!names_.contains(path)) return Error{errc::not_found, path + " does not exist"};
    return 0600;
}

Result<void> SimDisk::set_owner(const std::string& path, const FileOwner&) {
    if (!exists(path)) return Error{errc::not_found, path + " does not exist"};
    return {};
}

Result<void> SimDisk::write(
    const std::shared_ptr<Inode>& inode, std::uint64_t offset, std::string_view bytes
) {
    if (full_ && offset + bytes.size() > inode->content.size()) return full_error(role_);
    const bool refused = refuses();
    if (refused) bytes = bytes.substr(0, bytes.size() / 2);
    put(inode->content, offset, bytes);
    inode->pending.push_back(PendingWrite{offset, std::string(bytes), false});
    bytes_written_ += bytes.size();
    last_written_ = inode;
    changed();
    if (refused) return full_error(role_);
    return {};
}

void SimDisk::refuse_write(std::uint64_t number, bool from_then_on) {
    refused_write_ = number == 0 ? 0 : writes_ + number;
    refuses_from_then_on_ = from_then_on;
}

bool SimDisk::refuses() {
    ++writes_;
    if (refused_write_ == 0) return false;
    return refuses_from_then_on_ ? writes_ >= refused_write_ : writes_ == refused_write_;
}

std::uint64_t SimDisk::last_write() const noexcept {
    return last_written_ ? last_written_->pending.back().bytes.size() : 0;
}

std::uint64_t SimDisk::fingerprint() const {
    std::uint64_t hash = 0;
    const auto mix = [&hash](std::string_view text) {
        hash = (hash ^ std::hash<std::string_view>{}(text)) * 0x9E3779B97F4A7C15ULL;
    };
    for (const auto& [path, inode] : names_) {
        mix(path);
        mix(inode->content);
    }
    return hash;
}

std::unique_ptr<SimDisk> SimDisk::after(const PowerCut& cut) const {
    Rng none(0);
    std::unique_ptr<SimDisk> left = after(Ending::kill, none);
    std::set<Inode*> seen;
    const auto lose = [&](const std::shared_ptr<Inode>& inode) {
        if (!seen.insert(inode.get()).second) return;
        const bool is_last = inode == left->last_written_;
        PendingWrite last;
        if (is_last) {
            last = std::move(inode->pending.back());
            inode->pending.pop_back();
        }
        if (cut.rest_survives) inode->settle();
        if (is_last) {
            const std::uint64_t length =
                std::max<std::uint64_t>(inode->durable.size(), last.offset + last.bytes.size());
            put(inode->durable, last.offset, std::string_view(last.bytes).substr(0, cut.bytes));
            if (cut.length_survives) inode->durable.resize(length, '\0');
        }
        inode->pending.clear();
        inode->content = inode->durable;
    };
    for (const auto& [path, inode] : left->names_) lose(inode);
    for (const auto& [path, inode] : left->durable_names_) lose(inode);
    if (cut.rest_survives) left->durable_names_ = left->names_;
    left->names_ = left->durable_names_;
    left->pending_names_.clear();
    left->last_written_ = nullptr;
    return left;
}

void SimDisk::truncate(Inode& inode, std::uint64_t size) {
    if (size == inode.content.size()) return;
    inode.content.resize(static_cast<std::size_t>(size), '\0');
    inode.pending.push_back(PendingWrite{size, {}, true});
    last_written_ = nullptr;
    changed();
}

void SimDisk::sync(Inode& inode, const std::string& name) {
    if (!lies(name)) inode.settle();
    last_written_ = nullptr;
    changed();
}

void SimDisk::sync_names(const std::string& directory, const std::string& name) {
    if (!lies(name)) {
        std::erase_if(pending_names_, [&](const NameChange& change) {
            if (change.directory != directory) return false;
            apply(durable_names_, change);
            return true;
        });
    }
    last_written_ = nullptr;
    changed();
}

bool SimDisk::holds(const std::string& bytes) const {
    const auto any = [&](const auto& names) {
        return std::any_of(names.begin(), names.end(), [&](const auto& file) {
            return !file.first.starts_with(kInMemory) &&
                   (file.second->content.find(bytes) != std::string::npos ||
                    file.second->durable.find(bytes) != std::string::npos);
        });
    };
    return any(names_) || any(durable_names_);
}

std::unique_ptr<SimDisk> SimDisk::after(Ending ending, Rng& rng) const {
    std::unique_ptr<SimDisk> next = image(ending, rng);
    if (ending == Ending::kill) return next;
    const auto is_lost = [](const auto& file) { return file.first.starts_with(kInMemory); };
    std::erase_if(next->names_, is_lost);
    std::erase_if(next->durable_names_, is_lost);
    return next;
}

std::unique_ptr<SimDisk> SimDisk::image(Ending ending, Rng& rng) const {
    auto next = std::make_unique<SimDisk>(role_, ledger_);
    next->directories_ = directories_;
    // Copies keep their identity: one file under its durable and its present name is still one file.
    std::map<const Inode*, std::shared_ptr<Inode>> copies;
    const auto copy = [&](const std::shared_ptr<Inode>& inode) -> std::shared_ptr<Inode> {
        if (!inode) return nullptr;
        auto& kept = copies[inode.get()];
        if (!kept) {
            kept = std::make_shared<Inode>(*inode);
            if (ending != Ending::kill) {
                if (ending == Ending::power_loss) kept->content = inode->torn(rng);
                kept->durable = kept->content;
                kept->pending.clear();
            }
        }
        return kept;
    };
    if (ending == Ending::orderly) {
        for (const auto& [path, inode] : names_) next->names_.emplace(path, copy(inode));
        next->durable_names_ = next->names_;
        return next;
    }
    for (const auto& [path, inode] : durable_names_) next->durable_names_.emplace(path, copy(inode));
    if (ending == Ending::kill) {
        for (const auto& [path, inode] : names_) next->names_.emplace(path, copy(inode));
        for (NameChange change : pending_names_) {
            change.inode = copy(change.inode);
            next->pending_names_.push_back(std::move(change));
        }
        next->last_written_ = copy(last_written_);
        return next;
    }
    // Directories are journalled: of each, a prefix of what was not synced is there.
    std::map<std::string, std::uint64_t> totals;
    for (const auto& change : pending_names_) ++totals[change.directory];
    for (auto& [directory, total] : totals) total = rng.below(total + 1);
    for (NameChange change : pending_names_) {
        auto& left = totals[change.directory];
        if (left == 0) continue;
        --left;
        change.inode = copy(change.inode);
        apply(next->durable_names_, change);
    }
    next->names_ = next->durable_names_;
    return next;
}

void SimDisk::arm(std::uint64_t operations, std::function<void()> then) {
    armed_after_ = std::max<std::uint64_t>(operations, 1);
    armed_ = std::move(then);
}

bool SimDisk::has_unsynced() const {
    return !pending_names_.empty() || std::any_of(names_.begin(), names_.end(), [](const auto& item) {
        return !item.second->pending.empty();
    });
}

void SimDisk::change_name(NameChange change) {
    apply(names_, change);
    pending_names_.push_back(std::move(change));
    last_written_ = nullptr;
    changed();
}

void SimDisk::apply(std::map<std::string, std::shared_ptr<Inode>>& names, const NameChange& change) {
    if (!change.also_removed.empty()) names.erase(change.also_removed);
    if (change.inode) {
        names.insert_or_assign(change.path, change.inode);
    } else {
        names.erase(change.path);
    }
}

bool SimDisk::lies(const std::string& name) {
    ++ledger_->called[name];
    return name == ledger_->ignored;
}

void SimDisk::changed() {
    if (watcher_) watcher_();
    if (!armed_ || --armed_after_ > 0) return;
    const auto then = std::exchange(armed_, nullptr);
    then();
}

}  // namespace icos::sim
