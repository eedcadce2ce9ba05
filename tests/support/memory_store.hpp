// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/signal.hpp"
#include "icos/store/store.hpp"

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace icos::test {

/// A Store in memory with the contract of the real one: commits queue in call order, become durable together
/// after `delay`, and a failed one takes every later one with it. What is durable outlives the modules that
/// use it, so a test can start a module again on it. Loop-confined.
class MemoryStore final : public Store {
public:
    explicit MemoryStore(Runtime& runtime) : runtime_(runtime) {}

    Duration delay{1};             ///< until what was queued is durable
    std::optional<Error> failure;  ///< the next batch fails with this
    bool keeps_failing = false;    ///< and every later one, until this is taken back

    using Key = std::pair<std::string, std::string>;
    const std::map<Key, Row>& rows() const noexcept { return rows_; }
    const std::vector<Event>& recorded() const noexcept { return events_; }
    std::uint64_t commits() const noexcept { return commits_; }
    void put(Row row) { rows_.insert_or_assign(Key{row.kind, row.id}, row); }

    WallTime history_from{};  ///< before it the history is gone

    Task<Result<std::vector<Row>>> history(std::string kind, WallTime at) override {
        if (at < history_from) co_return Error{store_errc::history_gone, "not kept"};
        std::map<std::string, Row> rows;
        for (const auto& [row, when, is_removed] : images_) {
            if (row.kind != kind || when > at) continue;
            rows.erase(row.id);
            if (!is_removed) rows.emplace(row.id, row);
        }
        std::vector<Row> out;
        for (auto& [id, row] : rows) out.push_back(std::move(row));
        co_return out;
    }

    using Store::load;
    Task<Result<std::vector<Row>>> load(std::string kind, std::string id_prefix) override {
        return load(this, std::move(kind), std::move(id_prefix));
    }

    Task<Result<std::uint64_t>> commit(ChangeSet changes) override {
        auto pending = std::make_shared<Pending>(runtime_);
        pending->changes = std::move(changes);
        pending->version = ++next_version_;
        queue_.push_back(pending);
        if (!timer_) timer_ = runtime_.schedule(delay, [this] { write(); });
        return wait(std::move(pending));
    }

    Task<Result<std::vector<Event>>> events(std::uint64_t after, std::size_t limit, EventFilter filter)
        override {
        std::vector<Event> out;
        for (const Event& event : events_) {
            if (event.seq > after && filter.matches(event) && out.size() < limit) out.push_back(event);
        }
        co_return out;
    }

    std::uint64_t last_event() const override { return events_.size(); }
    std::uint64_t last_version() const override { return last_version_; }
    std::shared_ptr<void> on_event(EventListener listener) override {
        auto token = std::make_shared<EventListener>(std::move(listener));
        listeners_.push_back(token);
        return token;
    }
    std::shared_ptr<void> on_dropped(std::function<void()> listener) override {
        auto token = std::make_shared<std::function<void()>>(std::move(listener));
        dropped_.push_back(token);
        return token;
    }
    Task<> close() override { co_return; }

private:
    struct Image {
        Row row{};
        WallTime at{};
        bool is_removed = false;
    };
    struct Pending {
        explicit Pending(Runtime& runtime) : done(runtime) {}
        ChangeSet changes;
        std::uint64_t version = 0;
        std::optional<Result<std::uint64_t>> outcome;
        Signal done;
    };

    static Task<Result<std::vector<Row>>> load(MemoryStore* self, std::string kind, std::string prefix) {
        co_await sleep_for(self->runtime_, Duration{0});
        std::vector<Row> out;
        for (const auto& [key, row] : self->rows_) {
            if (key.first == kind && key.second.starts_with(prefix)) out.push_back(row);
        }
        co_return out;
    }

    static Task<Result<std::uint64_t>> wait(std::shared_ptr<Pending> pending) {
        while (!pending->outcome) co_await pending->done.wait();
        co_return *pending->outcome;
    }

    void write() {
        // A timer may not go while its callback runs.
        const std::unique_ptr<Timer> fired = std::move(timer_);
        std::deque<std::shared_ptr<Pending>> batch;
        batch.swap(queue_);
        if (failure) {
            const Error why = *failure;
            if (!keeps_failing) failure.reset();
            next_version_ = last_version_;
            for (const auto& weak : dropped_) {
                if (const auto listener = weak.lock()) (*listener)();
            }
            for (const auto& pending : batch) finish(*pending, why);
            return;
        }
        for (const auto& pending : batch) {
            for (Change& change : pending->changes.changes) {
                const Key key{change.kind, change.id};
                if (has_history(change.kind)) {
                    Row row{change.kind, change.id, change.body.value_or(""), pending->version};
                    images_.push_back({std::move(row), runtime_.wall(), !change.body});
                }
                if (change.body) {
                    rows_.insert_or_assign(key, Row{change.kind, change.id, *change.body, pending->version});
                } else {
                    rows_.erase(key);
                }
            }
            for (EventDraft& draft : pending->changes.events) record(std::move(draft), pending->version);
            last_version_ = pending->version;
            ++commits_;
            finish(*pending, pending->version);
        }
    }

    void record(EventDraft draft, std::uint64_t version) {
        Event event;
        static_cast<EventDraft&>(event) = std::move(draft);
        event.seq = events_.size() + 1;
        event.version = version;
        event.at = runtime_.wall();
        events_.push_back(event);
        const auto shared = std::make_shared<const Event>(std::move(event));
        for (const auto& weak : listeners_) {
            if (const auto listener = weak.lock()) (*listener)(shared);
        }
    }

    static void finish(Pending& pending, Result<std::uint64_t> outcome) {
        pending.outcome = std::move(outcome);
        pending.done.notify();
    }

    Runtime& runtime_;
    std::map<Key, Row> rows_;
    std::vector<Event> events_;
    std::vector<Image> images_;
    std::deque<std::shared_ptr<Pending>> queue_;
    std::unique_ptr<Timer> timer_;
    std::list<std::weak_ptr<EventListener>> listeners_;
    std::list<std::weak_ptr<std::function<void()>>> dropped_;
    std::uint64_t next_version_ = 0;
    std::uint64_t last_version_ = 0;
    std::uint64_t commits_ = 0;
};

}  // namespace icos::test
