// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "accepted_log.hpp"
#include "agent_status.hpp"
#include "icos/agent/agent.hpp"
#include "icos/async/signal.hpp"
#include "icos/async/task_group.hpp"
#include "icos/link/session.hpp"
#include "node_clock.hpp"
#include "reconciler.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace icos::agent {

class Conversation;

/// What the conversations of one agent share, from one connection to the next. Loop-confined.
struct NodeState {
    NodeState(Runtime& rt, Engine& e, Dialer& d, AcceptedLog& accepted_log)
        : runtime(rt), engine(e), dialer(d), log(accepted_log), changed(rt) {}

    Runtime& runtime;
    Engine& engine;
    Dialer& dialer;
    AcceptedLog& log;
    std::shared_ptr<StatusFile> status;
    NodeClock clock;
    std::shared_ptr<Reconciler> reconciler;
    Facts facts;
    std::string boot_id;
    std::string process_nonce;
    Settings settings;
    Signal changed;  ///< observed, facts or the link's state
    std::uint64_t facts_version = 1;
    bool is_accepting = false;  ///< a set is being made durable: one at a time
    bool is_connected = false;  ///< welcomed
    std::vector<std::string> controllers;
    std::weak_ptr<Conversation> conversation;  ///< the one that holds, if any
};

/// One connection with a controller, from hello to its end: handshake, desired sets in, observed sets and
/// facts out, channels served.
class Conversation : public std::enable_shared_from_this<Conversation> {
public:
    Conversation(
        std::shared_ptr<NodeState> node, std::unique_ptr<http::FrameStream> stream, std::string controller
    );
    /// Until the connection ends; returns why.
    static Task<Error> hold(std::shared_ptr<Conversation> self);
    bool was_welcomed() const noexcept { return is_welcomed_; }
    /// The agent is about to stop while containers go on: whether the controller wrote that down in time.
    static Task<bool> say_stopping(std::shared_ptr<Conversation> self, Duration limit);

private:
    using Self = std::shared_ptr<Conversation>;
    static Task<Error> converse(Self self);
    static Task<> run_session(Self self);
    static Task<> report(Self self);
    static Task<> keep_lease(Self self);
    static Task<> send_stopping(Self self);
    static Task<Result<void>> handle(Self self, std::string message);
    static Task<Result<void>> take_desired(Self self, Desired desired);
    void take_welcome(const Welcome& welcome);
    std::optional<Observed> observed_step();

    std::shared_ptr<NodeState> node_;
    std::shared_ptr<link::Session> session_;
    std::optional<Error> ended_;
    bool is_welcomed_ = false;
    bool is_stopping_noted_ = false;
    BootTime said_hello_{};
    Duration lease_{};
    ObservedSet greeted_;               ///< observed at hello
    std::optional<ObservedSet> known_;  ///< what the controller knows; nullopt: it needs the whole set
    std::uint64_t facts_sent_ = 0;
    std::uint64_t clock_sent_ = 0;
    std::string controller_;
    TaskGroup tasks_;
};

}  // namespace icos::agent
