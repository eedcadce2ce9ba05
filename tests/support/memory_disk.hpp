// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/store/disk.hpp"
#include "icos/store/store.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace icos::test {

/// A Disk in memory. `lose_power()` forgets what was not synced; `is_full` refuses every byte more.
class MemoryDisk final : public Disk {
public:
    struct Content {
        std::string now;
        std::string synced;
        FileOwner owner{};
    };
    using Files = std::map<std::string, std::shared_ptr<Content>>;

    bool is_full = false;
    std::uint64_t capacity = UINT64_MAX;              ///< bytes of all files together; beyond: full
    std::map<std::string, std::uint64_t> free_space;  ///< what free_bytes says of a path; 1 GiB otherwise
    std::uint64_t syncs = 0;
    std::uint64_t bytes_written = 0;

    /// Names and contents as they were at their last syncs; of /run, which is in memory, nothing.
    void lose_power() {
        files_ = durable_names_;
        std::erase_if(files_, [](const auto& file) { return file.first.starts_with("/run/"); });
        for (auto& [path, content] : files_) content->now = content->synced;
    }
    const Files& files() const noexcept { return files_; }
    std::string content(const std::string& path) const {
        const auto found = files_.find(path);
        return found == files_.end() ? std::string() : found->second->now;
    }
    void put(const std::string& path, std::string bytes) {
        auto content = std::make_shared<Content>(Content{bytes, bytes, {}});
        files_[path] = content;
        durable_names_[path] = content;
    }

    Result<std::unique_ptr<File>> open(const std::string& path) override {
        auto& content = files_[path];
        if (!content) content = std::make_shared<Content>();
        std::unique_ptr<File> file = std::make_unique<MemoryFile>(*this, content);
        return file;
    }
    Result<std::string> read_all(const std::string& path) override {
        const auto found = files_.find(path);
        if (found == files_.end()) return Error{errc::not_found, path};
        return found->second->now;
    }
    bool exists(const std::string& path) override { return files_.contains(path); }
    Result<void> rename(const std::string& from, const std::string& to) override {
        const auto found = files_.find(from);
        if (found == files_.end()) return Error{errc::not_found, from};
        files_[to] = found->second;
        files_.erase(from);
        return {};
    }
    Result<void> remove(const std::string& path) override {
        files_.erase(path);
        return {};
    }
    Result<void> sync_directory(const std::string&) override {
        ++syncs;
        durable_names_ = files_;
        return {};
    }
    Result<void> make_directory(const std::string&) override { return {}; }
    Result<std::vector<std::string>> list(const std::string& directory) override {
        std::vector<std::string> names;
        for (const auto& [path, content] : files_) {
            if (path.starts_with(directory + "/")) names.push_back(path.substr(directory.size() + 1));
        }
        return names;
    }
    Result<std::uint64_t> free_bytes(const std::string& path) override {
        if (is_full) return std::uint64_t{0};
        const auto found = free_space.find(path);
        if (found != free_space.end()) return found->second;
        return capacity == UINT64_MAX ? std::uint64_t{1} << 30U : capacity - std::min(capacity, used());
    }
    std::uint64_t used() const {
        std::uint64_t bytes = 0;
        for (const auto& [path, content] : files_) bytes += content->now.size();
        return bytes;
    }
    Result<unsigned> mode(const std::string& path) override {
        const auto found = files_.find(path);
        if (found == files_.end()) return Error{errc::not_found, path};
        return found->second->owner.mode;
    }
    Result<void> set_owner(const std::string& path, const FileOwner& owner) override {
        const auto found = files_.find(path);
        if (found == files_.end()) return Error{errc::not_found, path};
        found->second->owner = owner;
        return {};
    }

private:
    class MemoryFile final : public File {
    public:
        MemoryFile(MemoryDisk& disk, std::shared_ptr<Content> content)
            : disk_(disk), content_(std::move(content)) {}
        Result<std::uint64_t> size() override { return content_->now.size(); }
        Result<std::string> read(std::uint64_t offset, std::size_t length) override {
            if (offset >= content_->now.size()) return std::string();
            return content_->now.substr(offset, length);
        }
        Result<void> write(std::uint64_t offset, std::string_view bytes) override {
            const bool grows = offset + bytes.size() > content_->now.size();
            const std::uint64_t more = grows ? offset + bytes.size() - content_->now.size() : 0;
            if (grows && (disk_.is_full || disk_.used() + more > disk_.capacity)) {
                return Error{store_errc::full, "no space left on the device"};
            }
            if (content_->now.size() < offset + bytes.size()) content_->now.resize(offset + bytes.size());
            content_->now.replace(offset, bytes.size(), bytes);
            disk_.bytes_written += bytes.size();
            return {};
        }
        Result<void> truncate(std::uint64_t size) override {
            content_->now.resize(size);
            return {};
        }
        Result<void> sync() override {
            ++disk_.syncs;
            content_->synced = content_->now;
            return {};
        }

    private:
        MemoryDisk& disk_;
        std::shared_ptr<Content> content_;
    };

    Files files_;
    Files durable_names_;
};

}  // namespace icos::test
