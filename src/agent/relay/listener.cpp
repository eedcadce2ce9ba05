// SPDX-License-Identifier: Apache-2.0
#include "agent/relay/listener.hpp"

#include "agent/relay/relayed_connection.hpp"
#include "icos/async/backoff.hpp"
#include "icos/core/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace icos::agent {
namespace asio = boost::asio;
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr Backoff::Settings kAcceptPauses{.base = Duration(100), .cap = Duration(2'000)};

}  // namespace

Listener::Listener(std::shared_ptr<RelayState> state, const RelayKey& key)
    : state_(std::move(state)),
      name_(key.app.value + "/" + key.component + "/" + key.service + ":" + std::to_string(key.port)),
      targets_changed_(state_->runtime) {}

Result<std::uint16_t> Listener::listen(
    const std::shared_ptr<Listener>& self, const std::string& address, std::uint16_t port
) {
    if (self->acceptor_ && address == self->address_ && (port == 0 || port == self->port_))
        return self->port_;
    const auto opened =
        open_acceptor(self->state_->runtime.loop(), address, port, self->state_->settings.unanswered);
    if (opened.has_error()) return opened.error();
    boost::system::error_code ec;
    if (self->acceptor_) self->acceptor_->close(ec);
    self->acceptor_ = *opened;
    self->address_ = address;
    self->port_ = self->acceptor_->local_endpoint(ec).port();
    self->state_->tasks->spawn("relay.accept", accept(self, self->acceptor_));
    return self->port_;
}

Task<> Listener::accept(std::shared_ptr<Listener> self, std::shared_ptr<Acceptor> acceptor) {
    RelayState& state = *self->state_;
    Backoff pause(kAcceptPauses);
    while (acceptor->is_open()) {
        Socket socket(acceptor->get_executor());
        auto [ec] = co_await acceptor->async_accept(socket, kTuple);
        if (!acceptor->is_open()) break;
        if (!ec) {
            pause.reset();
            admit(self, std::move(socket));
            continue;
        }
        // Mostly no free descriptor: the pause lets others end; the backlog keeps who waits.
        ++state.counters.accept_failures;
        if (pause.attempts() == 0) {
            Log("relay").error(
                "cannot accept connections", {{"listener", self->name_}, {"reason", ec.message()}}
            );
        }
        co_await sleep_for(state.runtime, pause.next(state.runtime));
    }
}

void Listener::admit(const std::shared_ptr<Listener>& self, Socket socket) {
    RelayState& state = *self->state_;
    ++state.counters.accepted;
    boost::system::error_code ec;
    const bool is_full = state.counters.connections >= state.settings.max_connections ||
                         self->connections_.size() >= state.settings.max_connections_of_a_listener;
    if (is_full) {
        ++state.counters.refused_at_limit;
        reset_socket(socket);
        return;
    }
    socket.non_blocking(true, ec);
    if (ec) return;
    auto connection = std::make_shared<RelayedConnection>(self->state_, self, std::move(socket));
    state.tasks->spawn("relay.connection", RelayedConnection::serve(std::move(connection)));
}

void Listener::set_targets(std::vector<RelayTarget> targets) {
    targets_.assign(std::move(targets));
    std::erase_if(draining_, [this](const auto& entry) { return targets_.names(entry.first); });
    for (RelayedConnection* connection : connections_) {
        const std::optional<RelayTarget>& target = connection->target();
        if (!target || targets_.names(*target)) continue;
        if (!connection->is_open()) {
            connection->redial();
        } else if (!draining_.contains(*target)) {
            std::function<void()> on_time = [this, former = *target] { cut(former); };
            draining_[*target] = state_->runtime.schedule(state_->settings.drain, std::move(on_time));
        }
    }
    targets_changed_.notify();
}

void Listener::cut(const RelayTarget& target) {
    draining_.erase(target);
    const std::set<RelayedConnection*> all = connections_;
    for (RelayedConnection* connection : all) {
        if (connection->target() != target) continue;
        ++state_->counters.cut;
        connection->reset();
    }
}

void Listener::close() {
    boost::system::error_code ignored;
    if (acceptor_) acceptor_->close(ignored);
    draining_.clear();
    targets_.assign({});
    const std::set<RelayedConnection*> all = connections_;
    for (RelayedConnection* connection : all) connection->reset();
    targets_changed_.notify();
}

}  // namespace icos::agent
