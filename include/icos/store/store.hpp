// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task.hpp"
#include "icos/core/error.hpp"
#include "icos/store/seal.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icos {

/// store.full (507), store.corrupt, store.newer (a later version wrote it), store.locked (another controller
/// has the directory open), store.busy (queue bound reached), store.history_gone (410), store.closed,
/// store.io (503).
enum class store_errc { full = 1, corrupt, newer, locked, busy, history_gone, closed, io };
const ErrorDomain& store_domain() noexcept;
inline boost::system::error_code make_error_code(store_errc e) noexcept {
    return {static_cast<int>(e), store_domain()};
}

/// A stored resource: `body` is its JSON text. (kind, id) is the key; `version` is the commit that wrote it.
struct Row {
    std::string kind;
    std::string id;
    std::string body;
    std::uint64_t version = 0;
};

/// Writes or (without a body) removes one resource.
struct Change {
    std::string kind;
    std::string id;
    std::optional<std::string> body;
};

/// Kinds whose past is kept: what people ask about, and nothing that holds a secret or a descriptor's text.
inline bool has_history(std::string_view kind) noexcept {
    return kind == "app" || kind == "node";
}

/// Kinds whose rows hold secrets or a descriptor's text: their bodies are sealed on disk.
inline constexpr std::array<std::string_view, 3> kSealedKinds{
    "app_revision", "registry_credential", "digest_key"
};
inline bool is_sealed_kind(std::string_view kind) noexcept {
    return std::find(kSealedKinds.begin(), kSealedKinds.end(), kind) != kSealedKinds.end();
}

enum class Layer { runtime, security, intelligence };
std::string_view to_string(Layer layer) noexcept;

/// A fact to record with a change. `data` is JSON text for people and programs: never a secret, never a
/// descriptor.
struct EventDraft {
    std::string kind;  ///< "app.accepted", "placement.decided", "node.joined": noun.past-tense
    Layer layer = Layer::runtime;
    std::string project = "default";
    std::string subject_kind;  ///< "app", "component", "node", "cluster", "token"
    std::string subject;       ///< what people call it: "hello/frontend", "edge-1"
    std::string message;       ///< one line, as `icos events` prints it
    std::string app;           ///< application name, or empty: filter of `?app=`
    std::string node;          ///< node name, or empty
    std::uint64_t cause = 0;   ///< seq of the event that led to this one, 0 = none
    std::string actor;         ///< subject of the caller, or the module that decided
    std::string data = "{}";
};

/// A recorded fact. `seq` grows by one per event, without gaps, in commit order.
struct Event : EventDraft {
    std::uint64_t seq = 0;
    std::uint64_t version = 0;
    WallTime at{};
};

/// What one step of a module changed: written together or not at all.
struct ChangeSet {
    std::vector<Change> changes;
    std::vector<EventDraft> events;
    bool empty() const noexcept { return changes.empty() && events.empty(); }
};

struct EventFilter {
    std::string project;  ///< empty = all
    std::string app;
    std::string node;
    std::string kind;     ///< exact, or a prefix that ends with '.'
    std::string actor{};  ///< who did it
    std::optional<Layer> layer;
    std::optional<WallTime> since;
    bool matches(const Event& event) const;
};

/// Durable state of the controller: rows by (kind, id) and the event table, one writer, group commit.
/// Loop-confined. A module applies a change to its memory and calls `commit` in the same step, without a
/// co_await between; `commit` takes the next version and queues in call order.
class Store {
public:
    virtual ~Store() = default;
    /// The rows of a kind, by id; with `id_prefix` only those whose id begins with it.
    virtual Task<Result<std::vector<Row>>> load(std::string kind, std::string id_prefix) = 0;
    Task<Result<std::vector<Row>>> load(std::string kind) { return load(std::move(kind), {}); }
    /// The rows of a kind with history as they were at `at`: after the last change at or before it.
    /// store.history_gone if that is older than what is kept.
    virtual Task<Result<std::vector<Row>>> history(std::string kind, WallTime at) = 0;
    /// Queues now (before the task is awaited) and resumes once durable, in version order, after the events
    /// were handed to the event listeners. On failure (store.full …) this and every later queued commit fail,
    /// then each `on_dropped` listener runs: memory must be reloaded from the store.
    [[nodiscard]] virtual Task<Result<std::uint64_t>> commit(ChangeSet changes) = 0;
    /// Events with seq > `after`, oldest first. store.history_gone if `after` is older than what is kept.
    virtual Task<Result<std::vector<Event>>> events(
        std::uint64_t after, std::size_t limit, EventFilter filter
    ) = 0;
    /// The newest `limit` events that match, oldest first.
    virtual Task<Result<std::vector<Event>>> recent(std::size_t limit, EventFilter filter);
    virtual std::uint64_t first_event() const { return 1; }  ///< lowest seq that is still kept
    virtual std::uint64_t last_event() const = 0;            ///< highest durable seq
    virtual std::uint64_t last_version() const = 0;          ///< highest durable version
    using EventListener = std::function<void(const std::shared_ptr<const Event>&)>;
    /// Called on the loop for every event, in seq order, once it is durable. Returns an RAII token.
    [[nodiscard]] virtual std::shared_ptr<void> on_event(EventListener listener) = 0;
    [[nodiscard]] virtual std::shared_ptr<void> on_dropped(std::function<void()> listener) = 0;
    /// Commits what is queued, then closes. Later calls fail with store.closed.
    virtual Task<> close() = 0;
};

struct SqliteStoreOptions {
    std::string path;  ///< database file; its directory is locked by a `lock` file beside it
    std::string vfs;   ///< empty = SQLite's default; simulation names its own
    bool lock_directory = true;
    std::size_t max_queue = 4096;  ///< change sets; beyond it commit fails with store.busy
    std::uint64_t event_bytes = 1ULL << 30;
    std::chrono::hours event_age{24 * 30};
    /// Seals the bodies of the kinds that `is_sealed_kind` names; null: they are written as they are.
    std::shared_ptr<const Seal> seal{};
};
/// Opens or creates the database and migrates it; rows of sealed kinds that an earlier release wrote in clear
/// are sealed then. Blocks: call before the loop runs. seal.no_key, seal.other_key when rows are sealed
/// otherwise.
Result<std::unique_ptr<Store>> open_sqlite_store(Runtime& runtime, const SqliteStoreOptions& options);
/// Whether the database at `path` exists and holds sealed rows: then a lost key must not be replaced by a new
/// one. Blocks.
Result<bool> holds_sealed_rows(const std::string& path);

}  // namespace icos

template <>
struct boost::system::is_error_code_enum<icos::store_errc> : std::true_type {};
