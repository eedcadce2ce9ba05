// SPDX-License-Identifier: Apache-2.0
#include "secret_store.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::agent {
namespace {

namespace json = boost::json;
constexpr std::string_view kContext = "secrets";

std::string serialised(const std::map<std::string, SecretFile>& files) {
    json::array list;
    for (const auto& [source, file] : files) {
        json::object item{{"source", file.source}, {"content", file.content}, {"mode", file.mode}};
        if (file.uid) item["uid"] = *file.uid;
        if (file.gid) item["gid"] = *file.gid;
        list.push_back(std::move(item));
    }
    return json::serialize(list);
}

Result<std::map<std::string, SecretFile>> parsed(const std::string& text) {
    try {
        std::map<std::string, SecretFile> files;
        const json::value value = json::parse(text);
        for (const json::value& item : value.as_array()) {
            SecretFile file;
            file.source = item.at("source").as_string();
            file.content = item.at("content").as_string();
            file.mode = item.at("mode").to_number<unsigned>();
            const json::object& members = item.as_object();
            if (members.contains("uid")) file.uid = members.at("uid").to_number<std::uint32_t>();
            if (members.contains("gid")) file.gid = members.at("gid").to_number<std::uint32_t>();
            std::string source = file.source;
            files.emplace(std::move(source), std::move(file));
        }
        return files;
    } catch (const std::exception&) {
        return Error{
            seal_errc::damaged, "secrets.sealed holds something else than a list of files", "remove it"
        };
    }
}

std::string parent_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

/// A file that is there already is not written again: containers have it mounted.
Result<void> make_file(Disk& disk, const std::string& directory, const SecretFile& file) {
    const std::string path = directory + "/" + file.source;
    const Result<std::string> present = disk.read_all(path);
    const FileOwner owner{file.uid, file.gid, file.mode};
    if (present.has_value() && *present == file.content) return disk.set_owner(path, owner);
    if (Result<void> made = disk.make_directory(parent_of(path)); made.has_error()) return made;
    const std::string aside = path + ".new";
    if (Result<void> removed = disk.remove(aside); removed.has_error()) return removed;
    {
        const Result<std::unique_ptr<File>> opened = disk.open(aside);
        if (opened.has_error()) return opened.error();
        if (Result<void> written = (*opened)->write(0, file.content); written.has_error()) return written;
    }
    if (Result<void> given = disk.set_owner(aside, owner); given.has_error()) return given;
    return disk.rename(aside, path);
}

Result<void> make_files(
    Disk& disk, const std::string& directory, const std::map<std::string, SecretFile>& files
) {
    if (files.empty()) return {};
    if (Result<void> made = disk.make_directory(directory); made.has_error()) return made;
    for (const auto& [source, file] : files) {
        if (Result<void> made = make_file(disk, directory, file); made.has_error()) return made;
    }
    return {};
}

Result<void> remove_files(Disk& disk, const std::string& directory, const std::vector<std::string>& sources) {
    std::set<std::string> folders;
    for (const std::string& source : sources) {
        const std::string path = directory + "/" + source;
        if (Result<void> removed = disk.remove(path); removed.has_error()) return removed;
        folders.insert(parent_of(path));
    }
    // Empty folders tell nothing and are gone after the next boot: best effort.
    for (const std::string& folder : folders) {
        (void)disk.remove(folder);
        (void)disk.remove(parent_of(folder));
    }
    return {};
}

}  // namespace

SecretStore::SecretStore(Runtime& runtime, Disk& disk, std::string state_dir, std::string directory)
    : runtime_(runtime),
      disk_(disk),
      state_dir_(std::move(state_dir)),
      directory_(std::move(directory)),
      saved_(runtime) {}

Task<Result<void>> SecretStore::open(std::shared_ptr<const Seal> seal) {
    seal_ = std::move(seal);
    auto read = [&disk = disk_, path = path_of_state(), key = seal_]() -> Result<Files> {
        if (!disk.exists(path)) return Files();
        const Result<std::string> bytes = disk.read_all(path);
        if (bytes.has_error()) return bytes.error();
        const Result<std::string> opened = key->open(*bytes, kContext);
        if (opened.has_error()) return opened.error();
        return parsed(*opened);
    };
    Result<Files> files = co_await offload(runtime_, Pool::storage, std::move(read));
    is_unreadable_ = files.has_error();
    if (is_unreadable_) co_return files.error();
    files_ = std::move(*files);
    auto make = [&disk = disk_, directory = directory_, all = files_] {
        return make_files(disk, directory, all);
    };
    co_return co_await offload(runtime_, Pool::storage, std::move(make));
}

Task<Result<void>> SecretStore::save() {
    while (saving_) co_await saved_.wait();
    if (!changed_) co_return Result<void>();
    saving_ = true;
    changed_ = false;
    std::string sealed = seal_->close(runtime_, serialised(files_), kContext);
    auto work = [&disk = disk_, path = path_of_state(), bytes = std::move(sealed), aside = is_unreadable_] {
        // Not overwritten: the right key may come back.
        Result<void> kept =
            aside && disk.exists(path) ? disk.rename(path, path + ".unreadable") : Result<void>();
        return kept.has_error() ? kept : write_durably(disk, path, bytes);
    };
    Result<void> written = Error{errc::internal, "not written"};
    try {
        written = co_await offload(runtime_, Pool::storage, std::move(work));
    } catch (...) {
        changed_ = true;
        saving_ = false;
        saved_.notify();
        throw;
    }
    if (written.has_error())
        changed_ = true;
    else
        is_unreadable_ = false;
    saving_ = false;
    saved_.notify();
    co_return written;
}

Task<Result<void>> SecretStore::provide(std::vector<SecretFile> files) {
    Files wanted;
    for (SecretFile& file : files) {
        std::string source = file.source;
        const auto known = files_.find(source);
        if (known == files_.end() || known->second != file) {
            files_.insert_or_assign(source, file);
            changed_ = true;
        }
        wanted.emplace(std::move(source), std::move(file));
    }
    if (wanted.empty()) co_return Result<void>();
    Result<void> saved = co_await save();
    if (saved.has_error()) co_return saved;
    auto make = [&disk = disk_, directory = directory_, all = std::move(wanted)] {
        return make_files(disk, directory, all);
    };
    co_return co_await offload(runtime_, Pool::storage, std::move(make));
}

Task<Result<void>> SecretStore::keep(PlacementId placement, std::set<std::string> digests) {
    std::set<std::string> folders;
    for (const std::string& digest : digests) folders.insert(secrets_folder(placement, digest));
    const std::string prefix = parent_of(secrets_folder(placement, "")) + "/";
    std::vector<std::string> gone;
    for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix); ++it) {
        if (!folders.contains(parent_of(it->first))) gone.push_back(it->first);
    }
    if (gone.empty()) co_return Result<void>();
    auto work = [&disk = disk_, directory = directory_, gone] { return remove_files(disk, directory, gone); };
    Result<void> removed = co_await offload(runtime_, Pool::storage, std::move(work));
    if (removed.has_error()) co_return removed;
    for (const std::string& source : gone) files_.erase(source);
    changed_ = true;
    co_return co_await save();
}

}  // namespace icos::agent
