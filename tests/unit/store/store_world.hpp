// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/store/store.hpp"
#include "manual_runtime.hpp"
#include "run_task.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace icos::test {

/// A store on a fresh folder under the system's temporary directory; closed and removed at the end.
struct StoreWorld {
    StoreWorld() {
        std::string pattern = (std::filesystem::temp_directory_path() / "icos-store-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        directory = pattern;
        options.path = (directory / "state.db").string();
    }
    ~StoreWorld() {
        close();
        std::filesystem::remove_all(directory);
    }
    StoreWorld(const StoreWorld&) = delete;
    StoreWorld& operator=(const StoreWorld&) = delete;

    Result<void> open() {
        Result<std::unique_ptr<Store>> opened = open_sqlite_store(runtime, options);
        if (opened.has_error()) return opened.error();
        store = std::move(*opened);
        return {};
    }
    void close() {
        if (!store) return;
        runtime.run_to_end(store->close());
        store.reset();
    }
    template <class T>
    T run(Task<T> task) {
        return test::run(runtime, std::move(task));
    }

    ManualRuntime runtime;
    std::filesystem::path directory;
    SqliteStoreOptions options;
    std::unique_ptr<Store> store;
};

inline ChangeSet put(std::string id, std::string body, std::string message = {}) {
    ChangeSet set;
    set.changes.push_back({"thing", id, std::move(body)});
    if (!message.empty()) {
        EventDraft event;
        event.kind = "thing.changed";
        event.subject_kind = "thing";
        event.subject = std::move(id);
        event.message = std::move(message);
        set.events.push_back(std::move(event));
    }
    return set;
}

}  // namespace icos::test
