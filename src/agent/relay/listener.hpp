// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "agent/relay/relay_state.hpp"
#include "agent/relay/target_set.hpp"
#include "agent/relay/tcp_socket.hpp"
#include "icos/async/signal.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>

namespace icos::agent {

class RelayedConnection;

/// One listener with its targets and connections. Loop-confined; shared with its connections.
class Listener {
public:
    Listener(std::shared_ptr<RelayState> state, const RelayKey& key);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// As Relay::listen. After an error it listens where it did before.
    static Result<std::uint16_t> listen(
        const std::shared_ptr<Listener>& self, const std::string& address, std::uint16_t port
    );
    void set_targets(std::vector<RelayTarget> targets);
    /// For good.
    void close();

    TargetSet& targets() { return targets_; }
    /// New targets, or news of how one does.
    Signal& targets_changed() { return targets_changed_; }
    const std::string& name() const { return name_; }
    void add(RelayedConnection* connection) { connections_.insert(connection); }
    void remove(RelayedConnection* connection) { connections_.erase(connection); }

private:
    static Task<> accept(std::shared_ptr<Listener> self, std::shared_ptr<Acceptor> acceptor);
    static void admit(const std::shared_ptr<Listener>& self, Socket socket);
    void cut(const RelayTarget& target);

    std::shared_ptr<RelayState> state_;
    std::string name_;
    std::shared_ptr<Acceptor> acceptor_;
    std::string address_;
    std::uint16_t port_ = 0;
    TargetSet targets_;
    Signal targets_changed_;
    std::set<RelayedConnection*> connections_;
    std::map<RelayTarget, std::unique_ptr<Timer>> draining_;  ///< former targets with connections
};

}  // namespace icos::agent
