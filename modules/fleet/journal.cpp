// SPDX-License-Identifier: Apache-2.0
#include "journal.hpp"

#include "icos/async/backoff.hpp"

namespace icos::fleet {

messages::NodeChanged changed(const NodeEntry& entry) {
    return {entry.record.id, entry.record.name, entry.life.state};
}

Change upsert(const NodeRecord& record) {
    return Change{std::string(kNodeRow), record.id.value, to_row(record)};
}

Change upsert(const Token& token) {
    return Change{std::string(kTokenRow), token.id, to_row(token)};
}

Journal::Journal(Runtime& runtime, Store& store, Bus& bus, TaskGroup& tasks, std::function<void()> on_reload)
    : runtime_(runtime), store_(store), bus_(bus), tasks_(tasks), on_reload_(std::move(on_reload)) {
    on_dropped_ = store_.on_dropped([this] { dropped(); });
}

Task<Result<StoredFleet>> Journal::read() {
    StoredFleet stored;
    const Result<std::vector<Row>> nodes = co_await store_.load(std::string(kNodeRow));
    if (nodes.has_error()) co_return nodes.error();
    for (const Row& row : *nodes) {
        Result<NodeRecord> record = node_from_row(row.id, row.body);
        if (record.has_error()) co_return record.error();
        stored.nodes.push_back(std::move(*record));
    }
    const Result<std::vector<Row>> tokens = co_await store_.load(std::string(kTokenRow));
    if (tokens.has_error()) co_return tokens.error();
    for (const Row& row : *tokens) {
        Result<Token> token = token_from_row(row.id, row.body);
        if (token.has_error()) co_return token.error();
        stored.tokens.push_back(std::move(*token));
    }
    const Result<std::vector<Row>> revoked = co_await store_.load(std::string(kRevokedRow));
    if (revoked.has_error()) co_return revoked.error();
    for (const Row& row : *revoked) {
        Result<RevokedKey> key = revoked_from_row(row.id, row.body);
        if (key.has_error()) co_return key.error();
        stored.revoked.push_back(std::move(*key));
    }
    co_return stored;
}

Task<Result<void>> Journal::load() {
    Result<StoredFleet> stored = co_await read();
    if (stored.has_error()) co_return stored.error();
    state_.replace(std::move(*stored), runtime_.boot());
    co_return Result<void>();
}

Result<void> Journal::check_writable() const {
    if (!reloading_) return {};
    return Error{
        store_errc::busy, "the last write failed and the state is being read again", "try again in a moment"
    };
}

void Journal::dropped() {
    // May run inside a write of ours: only remembered here, the reload is a task of its own.
    if (reloading_) {
        reload_again_ = true;
        return;
    }
    reloading_ = true;
    tasks_.spawn("fleet.reload", reload());
}

Task<> Journal::reload() {
    Backoff backoff{{}};
    for (;;) {
        reload_again_ = false;
        Result<StoredFleet> stored = co_await read();
        if (stored.has_error()) {
            log_.error("cannot read the state again", stored.error());
            co_await sleep_for(runtime_, backoff.next(runtime_));
            continue;
        }
        if (reload_again_) continue;
        state_.replace(std::move(*stored), runtime_.boot());
        break;
    }
    reloading_ = false;
    log_.warning("state was read again after a failed write");
    on_reload_();
}

Task<Result<std::uint64_t>> Journal::write(ChangeSet changes, std::vector<messages::NodeChanged> changed) {
    // No coroutine: the commit has to take its place in the queue in this very step.
    return finish(bus_, store_.commit(std::move(changes)), std::move(changed));
}

void Journal::write_behind(ChangeSet changes, std::vector<messages::NodeChanged> changed) {
    if (reloading_) return;  // what is read again is the truth; states are found anew by the next look
    tasks_.spawn("fleet.commit", forget(write(std::move(changes), std::move(changed))));
}

Task<Result<std::uint64_t>> Journal::finish(
    Bus& bus, Task<Result<std::uint64_t>> commit, std::vector<messages::NodeChanged> then
) {
    Result<std::uint64_t> version = co_await std::move(commit);
    if (version.has_value()) {
        for (messages::NodeChanged& message : then) bus.publish(std::move(message));
    }
    co_return version;
}

Task<> Journal::forget(Task<Result<std::uint64_t>> commit) {
    // The store says itself why changes were dropped, and `dropped` reads the state again.
    co_await std::move(commit);
}

Task<Result<void>> Journal::settled() {
    if (Result<void> writable = check_writable(); writable.has_error()) co_return writable;
    const Result<std::uint64_t> version = co_await store_.commit(ChangeSet{});
    if (version.has_error()) co_return version.error();
    co_return Result<void>();
}

}  // namespace icos::fleet
