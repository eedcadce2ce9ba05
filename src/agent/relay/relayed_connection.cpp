// SPDX-License-Identifier: Apache-2.0
#include "agent/relay/relayed_connection.hpp"

#include "agent/relay/listener.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace icos::agent {
namespace asio = boost::asio;
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
/// Buffers passed on in one turn of the loop: a fast pair of sockets must not keep the others waiting.
constexpr int kBuffersPerTurn = 8;
/// The pause between attempts doubles up to this multiple of the first.
constexpr Duration::rep kMostPauses = 5;

/// Rounded up: a timer that is early by a fraction of a millisecond would make the caller spin.
Duration until(BootTime end, BootTime now) {
    return std::max(std::chrono::ceil<Duration>(end - now), Duration(0));
}

}  // namespace

RelayedConnection::RelayedConnection(
    std::shared_ptr<RelayState> state, std::shared_ptr<Listener> listener, Socket client
)
    : state_(std::move(state)),
      listener_(std::move(listener)),
      client_(std::move(client)),
      upstream_(client_.get_executor()) {
    ++state_->counters.connections;
    listener_->add(this);
}

RelayedConnection::~RelayedConnection() {
    reset();
}

void RelayedConnection::leave() {
    stage_ = Stage::closed;
    --state_->counters.connections;
    listener_->remove(this);
}

void RelayedConnection::reset() {
    if (stage_ == Stage::closed) return;
    leave();
    reset_socket(client_);
    reset_socket(upstream_);
}

void RelayedConnection::redial() {
    if (stage_ == Stage::connecting) reset_socket(upstream_);
}

Task<> RelayedConnection::serve(std::shared_ptr<RelayedConnection> self) {
    const bool has_target = co_await find_target(self);
    if (!has_target) {
        self->reset();
        co_return;
    }
    self->state_->tasks->spawn("relay.to_client", pump(self, Direction::to_client));
    co_await pump(self, Direction::to_target);
}

/// False: nobody answered in time, or the connection was ended from outside.
Task<bool> RelayedConnection::find_target(std::shared_ptr<RelayedConnection> self) {
    RelayState& state = *self->state_;
    Listener& listener = *self->listener_;
    const BootTime end = state.runtime.boot() + state.settings.patience;
    while (self->stage_ != Stage::closed) {
        const BootTime now = state.runtime.boot();
        if (now >= end) {
            ++state.counters.unserved;
            co_return false;
        }
        const TargetSet::Choice choice = listener.targets().choose(now);
        if (!choice.target) {
            const BootTime next = choice.retry_at ? std::min(*choice.retry_at, end) : end;
            co_await listener.targets_changed().wait_for(until(next, now));
            continue;
        }
        self->stage_ = Stage::connecting;
        self->target_ = choice.target;
        const bool is_connected = co_await connect(self, *choice.target);
        if (self->stage_ == Stage::closed) co_return false;
        // Nothing has been passed on yet, so the client may as well talk to the new one.
        const bool is_wanted = listener.targets().names(*choice.target);
        if (is_connected && is_wanted) {
            self->stage_ = Stage::open;
            if (listener.targets().succeeded(*choice.target)) {
                Log("relay").info("a target takes connections again", {{"listener", listener.name()}});
                listener.targets_changed().notify();
            }
            co_return true;
        }
        self->stage_ = Stage::held;
        self->target_.reset();
        reset_socket(self->upstream_);
        if (is_wanted) self->note_failure(*choice.target);
    }
    co_return false;
}

void RelayedConnection::note_failure(const RelayTarget& target) {
    ++state_->counters.connect_failures;
    const RelaySettings& settings = state_->settings;
    TargetSet& targets = listener_->targets();
    const auto doubled = Duration::rep{1} << std::min(targets.failures(target), 8U);
    const Duration pause = settings.retry_pause * std::min(doubled, kMostPauses);
    const auto spread = static_cast<std::uint64_t>(std::max<Duration::rep>(pause.count(), 0)) + 1;
    const Duration jitter{static_cast<Duration::rep>(random_u64(state_->runtime) % spread)};
    if (targets.failed(target, state_->runtime.boot(), {pause + jitter, settings.pass_over + jitter})) {
        Log("relay").warning(
            "a target does not take connections",
            {{"listener", listener_->name()}, {"address", target.address}, {"port", target.port}}
        );
    }
    listener_->targets_changed().notify();
}

Task<bool> RelayedConnection::connect(std::shared_ptr<RelayedConnection> self, RelayTarget target) {
    RelayState& state = *self->state_;
    const BootTime end = state.runtime.boot() + state.settings.connect;
    const Resolver::Addresses addresses =
        co_await Resolver::resolve(state.resolver, *state.tasks, target.address, state.settings.connect);
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (self->stage_ == Stage::closed || !self->listener_->targets().names(target)) co_return false;
        // An address that swallows packets leaves time for the next one.
        const Duration left = until(end, state.runtime.boot());
        const Duration share = left / static_cast<Duration::rep>(addresses.size() - i);
        if (share.count() <= 0) co_return false;
        reset_socket(self->upstream_);
        const asio::ip::tcp::endpoint endpoint(addresses[i], target.port);
        if (open_socket(self->upstream_, endpoint.protocol(), state.settings.unanswered)) continue;
        Socket& socket = self->upstream_;
        const std::unique_ptr<Timer> timer =
            state.runtime.schedule(share, [&socket] { reset_socket(socket); });
        auto [ec] = co_await socket.async_connect(endpoint, kTuple);
        // Open: neither the timer nor a new target closed it after it had connected.
        if (!ec && socket.is_open() && !is_connected_to_itself(socket)) co_return true;
    }
    co_return false;
}

RelayedConnection::Passed RelayedConnection::pass(Direction direction, std::vector<char>& rest) {
    const bool is_inbound = direction == Direction::to_target;
    Socket& from = is_inbound ? client_ : upstream_;
    Socket& to = is_inbound ? upstream_ : client_;
    std::uint64_t& bytes = is_inbound ? state_->counters.bytes_in : state_->counters.bytes_out;
    const std::size_t size = state_->settings.buffer;
    if (!state_->scratch) state_->scratch = std::make_unique_for_overwrite<char[]>(size);
    char* const buffer = state_->scratch.get();
    for (int i = 0; i < kBuffersPerTurn; ++i) {
        boost::system::error_code ec;
        const std::size_t got = from.read_some(asio::buffer(buffer, size), ec);
        if (ec == asio::error::would_block) return Passed::all;
        if (ec == asio::error::eof) return Passed::end;
        if (ec) return Passed::failed;
        bytes += got;
        const std::size_t taken = to.write_some(asio::buffer(buffer, got), ec);
        if (ec && ec != asio::error::would_block) return Passed::failed;
        if (taken < got) {
            rest.assign(buffer + taken, buffer + got);
            return Passed::some;
        }
        if (got < size) return Passed::all;
    }
    return Passed::all;
}

Task<> RelayedConnection::pump(std::shared_ptr<RelayedConnection> self, Direction direction) {
    const bool is_inbound = direction == Direction::to_target;
    Socket& from = is_inbound ? self->client_ : self->upstream_;
    Socket& to = is_inbound ? self->upstream_ : self->client_;
    Passed passed = Passed::all;
    while (passed != Passed::end) {
        // Waiting holds no buffer: an idle connection costs two descriptors and little else.
        auto [unreadable] = co_await from.async_wait(Socket::wait_read, kTuple);
        std::vector<char> rest;
        passed = unreadable ? Passed::failed : self->pass(direction, rest);
        std::size_t sent = 0;
        if (!rest.empty()) set_unanswered(to, Duration(0));
        while (sent < rest.size() && passed != Passed::failed) {
            auto [unwritable] = co_await to.async_wait(Socket::wait_write, kTuple);
            boost::system::error_code ec = unwritable;
            if (!ec) sent += to.write_some(asio::buffer(rest) + sent, ec);
            if (ec && ec != asio::error::would_block) passed = Passed::failed;
        }
        if (passed == Passed::failed) {
            self->reset();
            co_return;
        }
        if (!rest.empty()) set_unanswered(to, self->state_->settings.unanswered);
    }
    boost::system::error_code ignored;
    to.shutdown(Socket::shutdown_send, ignored);
    self->end_direction();
    if (self->stage_ == Stage::closed) co_return;
    // The other direction goes on. A side that has sent everything and then breaks is noticed only here.
    co_await from.async_wait(Socket::wait_error, kTuple);
    self->reset();
}

void RelayedConnection::end_direction() {
    if (++ended_directions_ < 2 || stage_ == Stage::closed) return;
    leave();
    boost::system::error_code ignored;
    client_.close(ignored);
    upstream_.close(ignored);
}

}  // namespace icos::agent
