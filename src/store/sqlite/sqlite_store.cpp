// SPDX-License-Identifier: Apache-2.0
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "icos/core/log.hpp"
#include "icos/store/store.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/directory_lock.hpp"
#include "sqlite/event_table.hpp"
#include "sqlite/history_table.hpp"
#include "sqlite/retention_clock.hpp"
#include "sqlite/schema.hpp"
#include "sqlite/sealed_rows.hpp"

#include <algorithm>
#include <deque>
#include <list>
#include <mutex>

namespace icos {
namespace {

using store::Connection;
using store::DirectoryLock;
using store::EventTable;
using store::HistoryTable;
using store::seal_rows;
using store::SqliteError;
using store::Statement;

constexpr std::size_t kMaxBatch = 512;       // change sets in one transaction
constexpr std::size_t kMaxPrune = 2000;      // events removed in one transaction
constexpr std::uint64_t kPruneEvery = 1000;  // events between two looks at the retention

/// One queued change set and whoever waits for it.
struct Pending {
    Pending(Runtime& runtime, ChangeSet set, std::uint64_t v)
        : changes(std::move(set)), version(v), done(runtime) {}
    ChangeSet changes;
    std::uint64_t version;
    std::vector<std::shared_ptr<const Event>> events;  // filled on the storage thread
    std::optional<Result<std::uint64_t>> outcome;
    Signal done;
};

/// Calls that stay registered while their token lives.
template <class Function>
class Listeners {
public:
    std::shared_ptr<void> add(Function function) {
        list_->push_back(std::make_shared<Function>(std::move(function)));
        auto position = std::prev(list_->end());
        return std::shared_ptr<void>(nullptr, [list = list_, position](void*) { list->erase(position); });
    }
    template <class... Arguments>
    void call(const Arguments&... arguments) const {
        // A listener may add or remove listeners: go over a copy.
        const std::vector<std::shared_ptr<Function>> now(list_->begin(), list_->end());
        for (const auto& function : now) (*function)(arguments...);
    }

private:
    std::shared_ptr<std::list<std::shared_ptr<Function>>> list_ =
        std::make_shared<std::list<std::shared_ptr<Function>>>();
};

class SqliteStore final : public Store {
public:
    SqliteStore(Runtime& runtime, SqliteStoreOptions options)
        : runtime_(runtime), options_(std::move(options)), wake_(runtime), tasks_(runtime) {}

    /// Blocking: before the loop runs.
    Result<void> open() {
        try {
            if (options_.lock_directory) {
                const std::string directory = options_.path.substr(0, options_.path.rfind('/'));
                if (Result<void> locked = lock_.acquire(directory); locked.has_error()) return locked;
            }
            writer_ = std::make_unique<Connection>(options_.path, Connection::Mode::read_write, options_.vfs);
            if (Result<void> migrated = migrate(*writer_, options_.path); migrated.has_error())
                return migrated;
            make_durable();
            if (Result<void> sealed = seal_rows(runtime_, *writer_, options_.seal.get()); sealed.has_error())
                return sealed;
            state_ = EventTable(*writer_).state();
            if (state_.retention_ms == 0) {
                const std::optional<WallTime> newest = EventTable(*writer_).newest_kept();
                state_.retention_ms = to_ms(newest.value_or(runtime_.wall()));
            }
            looked_at_ = runtime_.boot();
            if (state_.history_from < 0) begin_history();
            next_version_ = state_.last_version + 1;
            if (options_.vfs.empty()) {
                reader_ =
                    std::make_unique<Connection>(options_.path, Connection::Mode::read_only, options_.vfs);
            }
        } catch (const SqliteError& error) {
            return to_error(error);
        }
        tasks_.spawn("store.writer", write_loop());
        return {};
    }

    using Store::load;
    Task<Result<std::vector<Row>>> load(std::string kind, std::string id_prefix) override {
        return read<std::vector<Row>>(
            [kind = std::move(kind),
             prefix = std::move(id_prefix),
             seal = options_.seal](Connection& connection) -> Result<std::vector<Row>> {
                // A range of the key, not a pattern: other rows are not read.
                Statement& query = connection.prepare(
                    "SELECT id, body, version FROM resources WHERE kind = ?1 AND id >= ?2 AND id < ?2 || "
                    "char(0x10FFFF) ORDER BY id"
                );
                query.bind(1, kind).bind(2, prefix);
                std::vector<Row> rows;
                while (query.step()) {
                    Row row{kind, query.text(0), query.text(1), static_cast<std::uint64_t>(query.integer(2))};
                    if (Result<void> opened = store::open_row(row, seal.get()); opened.has_error())
                        return opened.error();
                    rows.push_back(std::move(row));
                }
                return rows;
            }
        );
    }

    Task<Result<std::uint64_t>> commit(ChangeSet changes) override {
        if (closing_) return refused(Error{store_errc::closed, "the controller is shutting down"});
        if (queue_.size() >= options_.max_queue) has_overflowed_ = true;
        // The caller's memory already holds the change, so an overflow is dropped like a failed commit: with
        // everything queued, and not before the batch in progress has ended, on whose result memory is built
        // as well.
        if (has_overflowed_ && queue_.size() >= 2 * options_.max_queue) return refused(overflow());
        if (options_.seal) store::seal_changes(runtime_, *options_.seal, changes.changes);
        auto pending = std::make_shared<Pending>(runtime_, std::move(changes), next_version_++);
        queue_.push_back(pending);
        wake_.notify();
        return wait(std::move(pending));
    }

    Task<Result<std::vector<Event>>> events(std::uint64_t after, std::size_t limit, EventFilter filter)
        override {
        if (after + 1 < state_.first_event) {
            return gone(after);
        }
        return read<std::vector<Event>>([=, filter = std::move(filter)](Connection& connection) {
            return EventTable(connection).after(after, limit, filter);
        });
    }

    Task<Result<std::vector<Event>>> recent(std::size_t limit, EventFilter filter) override {
        return read<std::vector<Event>>([=, filter = std::move(filter)](Connection& connection) {
            return EventTable(connection).newest(limit, filter);
        });
    }

    Task<Result<std::vector<Row>>> history(std::string kind, WallTime at) override {
        if (to_ms(at) < state_.history_from) return history_gone(at);
        return read<std::vector<Row>>([kind = std::move(kind), at](Connection& connection) {
            return HistoryTable(connection).at(kind, at);
        });
    }

    std::uint64_t first_event() const override { return state_.first_event; }
    std::uint64_t last_event() const override { return state_.last_event; }
    std::uint64_t last_version() const override { return state_.last_version; }
    std::shared_ptr<void> on_event(EventListener listener) override {
        return events_.add(std::move(listener));
    }
    std::shared_ptr<void> on_dropped(std::function<void()> listener) override {
        return dropped_.add(std::move(listener));
    }

    Task<> close() override {
        closing_ = true;
        wake_.notify();
        while (!drained_) co_await wake_.wait();
        co_await tasks_.stop(Duration{1000});
        co_await offload(runtime_, Pool::storage, [this] {
            const std::lock_guard guard(reading_);
            reader_.reset();
            writer_.reset();
        });
    }

private:
    /// A process that was killed between write and sync left its last commit to the kernel alone. It is read
    /// from now on, so it must not be lost any more: a checkpoint syncs the log before it does anything else.
    void make_durable() {
        try {
            writer_->execute("PRAGMA wal_checkpoint(PASSIVE)");
        } catch (const SqliteError& error) {
            if (error.code != store_errc::full) throw;  // then the log is synced, and reading goes on
        }
    }

    void begin_history() {
        store::Transaction transaction(*writer_);
        HistoryTable(*writer_).begin();
        state_.history_from = to_ms(runtime_.wall());
        EventTable(*writer_).set_state(state_);
        transaction.commit();
    }

    template <class Value, class Query>
    Task<Result<Value>> read(Query query) {
        // Without a connection of their own (another VFS), reads take their turn on the storage thread.
        const Pool pool = options_.vfs.empty() ? Pool::blocking : Pool::storage;
        return offload(runtime_, pool, [this, query = std::move(query)]() mutable -> Result<Value> {
            const std::lock_guard guard(reading_);
            Connection* connection = reader_ ? reader_.get() : writer_.get();
            if (connection == nullptr) return Error{store_errc::closed, "the store is closed"};
            try {
                return query(*connection);
            } catch (const SqliteError& error) {
                return to_error(error);
            }
        });
    }

    static Task<Result<std::uint64_t>> refused(Error error) { co_return error; }

    static Error overflow() {
        return {store_errc::busy, "too many changes wait for the disk", "try again in a moment"};
    }

    Task<Result<std::vector<Event>>> gone(std::uint64_t after) {
        co_return Error{
            store_errc::history_gone,
            "events after " + std::to_string(after) + " are no longer kept; the oldest is " +
                std::to_string(state_.first_event),
            "list again from the newest and follow from there"
        };
    }

    Task<Result<std::vector<Row>>> history_gone(WallTime at) {
        co_return Error{
            store_errc::history_gone,
            "what was at " + to_rfc3339(at) + " is not kept; the history begins at " +
                to_rfc3339(from_ms(state_.history_from)),
            "ask for a later time"
        };
    }

    static Task<Result<std::uint64_t>> wait(std::shared_ptr<Pending> pending) {
        while (!pending->outcome) co_await pending->done.wait();
        co_return *pending->outcome;
    }

    Task<> write_loop() {
        for (;;) {
            while (queue_.empty() && !closing_) co_await wake_.wait();
            if (queue_.empty()) break;
            if (has_overflowed_) {
                drop({}, overflow());
                continue;
            }
            std::vector<std::shared_ptr<Pending>> batch;
            while (!queue_.empty() && batch.size() < kMaxBatch) {
                batch.push_back(std::move(queue_.front()));
                queue_.pop_front();
            }
            const WallTime now = runtime_.wall();
            const BootTime boot = runtime_.boot();
            const auto elapsed = std::chrono::duration_cast<Duration>(boot - looked_at_);
            EventTable::State next = state_;
            next.retention_ms = to_ms(store::advance_retention(from_ms(state_.retention_ms), now, elapsed));
            const Result<EventTable::State> written = co_await offload(
                runtime_, Pool::storage, [this, batch, now, next] { return write(batch, now, next); }
            );
            if (written.has_error()) {
                drop(std::move(batch), written.error());
                continue;
            }
            state_ = *written;
            looked_at_ = boot;
            for (const auto& pending : batch) {
                for (const auto& event : pending->events) events_.call(event);
                pending->outcome = pending->version;
                pending->done.notify();
            }
        }
        drained_ = true;
        wake_.notify();
    }

    /// Everything of `batch` and of the queue fails: later changes were made on memory that never became
    /// durable.
    void drop(std::vector<std::shared_ptr<Pending>> batch, const Error& error) {
        batch.insert(batch.end(), queue_.begin(), queue_.end());
        queue_.clear();
        has_overflowed_ = false;
        next_version_ = state_.last_version + 1;
        log_.error("changes were dropped", error);
        dropped_.call();
        for (const auto& pending : batch) {
            pending->outcome = error;
            pending->done.notify();
        }
    }

    /// Storage thread: one transaction. It fails as a whole, so change sets need no savepoints of their own,
    /// for which SQLite copies every page that they touch (docs/adr/0011).
    Result<EventTable::State> write(
        const std::vector<std::shared_ptr<Pending>>& batch, WallTime now, EventTable::State state
    ) {
        try {
            EventTable table(*writer_);
            // The clock went back: the time from then on is known as well.
            state.history_from = std::min(state.history_from, to_ms(now));
            store::Transaction transaction(*writer_);
            for (const auto& pending : batch) {
                state.last_version = pending->version;
                apply(pending->changes.changes, pending->version, now, from_ms(state.retention_ms));
                pending->events.clear();
                for (const EventDraft& draft : pending->changes.events) {
                    auto event = std::make_shared<Event>();
                    static_cast<EventDraft&>(*event) = draft;
                    event->seq = ++state.last_event;
                    event->version = pending->version;
                    event->at = now;
                    state.bytes += table.insert(*event, from_ms(state.retention_ms));
                    pending->events.push_back(std::move(event));
                }
            }
            if (state.last_event / kPruneEvery != pruned_at_) {
                pruned_at_ = state.last_event / kPruneEvery;
                prune(table, state);
            }
            table.set_state(state);
            transaction.commit();
            return state;
        } catch (const SqliteError& error) {
            return to_error(error);
        }
    }

    void prune(EventTable& table, EventTable::State& state) {
        const WallTime now = from_ms(state.retention_ms);
        const bool is_over = state.bytes > options_.event_bytes;
        table.prune(now - options_.event_age, options_.event_bytes, kMaxPrune, state);
        WallTime before = now - options_.event_age;
        if (is_over) {
            // The history goes with the events, or it would outgrow the bytes that were meant for both.
            const std::optional<WallTime> first = table.kept_of(state.first_event);
            if (first) before = std::max(before, *first);
        }
        HistoryTable(*writer_).prune(before, kMaxPrune);
        state.history_from = std::max(state.history_from, to_ms(before));
    }

    void apply(const std::vector<Change>& changes, std::uint64_t version, WallTime now, WallTime kept) {
        HistoryTable history(*writer_);
        for (const Change& change : changes) {
            if (has_history(change.kind)) history.insert(change, version, now, kept);
            if (change.body) {
                writer_
                    ->prepare(
                        "INSERT INTO resources (kind, id, version, body) VALUES (?1, ?2, ?3, ?4) "
                        "ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, body = "
                        "excluded.body"
                    )
                    .bind(1, change.kind)
                    .bind(2, change.id)
                    .bind(3, static_cast<std::int64_t>(version))
                    .bind(4, *change.body)
                    .run();
            } else {
                writer_->prepare("DELETE FROM resources WHERE kind = ?1 AND id = ?2")
                    .bind(1, change.kind)
                    .bind(2, change.id)
                    .run();
            }
        }
    }

    Runtime& runtime_;
    SqliteStoreOptions options_;
    Log log_{"store"};
    DirectoryLock lock_;
    std::unique_ptr<Connection> writer_;  // storage thread, once open
    std::unique_ptr<Connection> reader_;  // under reading_
    std::mutex reading_;
    EventTable::State state_;      // what is durable
    BootTime looked_at_{};         // when its retention clock was advanced
    std::uint64_t pruned_at_ = 0;  // storage thread
    std::uint64_t next_version_ = 1;
    std::deque<std::shared_ptr<Pending>> queue_;
    Listeners<EventListener> events_;
    Listeners<std::function<void()>> dropped_;
    bool has_overflowed_ = false;
    bool closing_ = false;
    bool drained_ = false;
    Signal wake_;
    TaskGroup tasks_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(Runtime& runtime, const SqliteStoreOptions& options) {
    auto store = std::make_unique<SqliteStore>(runtime, options);
    if (const Result<void> opened = store->open(); opened.has_error()) return opened.error();
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace icos
