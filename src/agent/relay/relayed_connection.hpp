// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "agent/relay/relay_state.hpp"
#include "agent/relay/tcp_socket.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace icos::agent {

class Listener;

/// One client and, once there is one, the target it talks to.
///
///     held ──► connecting ──► open ──► closed
///      ▲            │ failed, or the target is no longer named
///      └────────────┘
///
/// Held: what the client sends stays in the kernel. Open: each direction on its own; the end of what one side
/// sends is passed on once everything before it is (half-close), the connection is closed when both have
/// ended. Whatever else ends it ends it with a reset on both sides. Loop-confined; its tasks own it.
class RelayedConnection {
public:
    /// Counts as open from here on.
    RelayedConnection(std::shared_ptr<RelayState> state, std::shared_ptr<Listener> listener, Socket client);
    ~RelayedConnection();
    RelayedConnection(const RelayedConnection&) = delete;
    RelayedConnection& operator=(const RelayedConnection&) = delete;

    static Task<> serve(std::shared_ptr<RelayedConnection> self);
    /// Where it is connected or connecting to.
    const std::optional<RelayTarget>& target() const { return target_; }
    bool is_open() const { return stage_ == Stage::open; }
    /// Gives up the attempt that is under way, if there is one, and looks for a target anew.
    void redial();
    /// Ends it on both sides.
    void reset();

private:
    enum class Stage { held, connecting, open, closed };
    enum class Direction { to_target, to_client };
    enum class Passed { all, some, end, failed };

    static Task<bool> find_target(std::shared_ptr<RelayedConnection> self);
    static Task<bool> connect(std::shared_ptr<RelayedConnection> self, RelayTarget target);
    static Task<> pump(std::shared_ptr<RelayedConnection> self, Direction direction);
    void note_failure(const RelayTarget& target);
    /// Reads what is there, writes what is taken at once; the rest of that goes into `rest`.
    Passed pass(Direction direction, std::vector<char>& rest);
    void end_direction();
    void leave();

    std::shared_ptr<RelayState> state_;
    std::shared_ptr<Listener> listener_;
    Socket client_;
    Socket upstream_;
    std::optional<RelayTarget> target_;
    Stage stage_ = Stage::held;
    int ended_directions_ = 0;
};

}  // namespace icos::agent
