// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "desired_sync.hpp"
#include "icos/async/backoff.hpp"
#include "icos/async/signal.hpp"
#include "icos/core/ids.hpp"
#include "icos/link/session.hpp"
#include "icos/ports/executor.hpp"

#include <memory>
#include <optional>
#include <string>

namespace icos::fleet {

/// One agent connection. Lives as long as the coroutines that serve it. Loop-confined.
struct NodeLink : std::enable_shared_from_this<NodeLink> {
    NodeLink(Runtime& runtime, std::unique_ptr<http::FrameStream> stream);

    /// Ends the session; whoever waits for it goes on. Idempotent.
    void close();
    /// The control channel took the message within `limit`; otherwise the link is closed.
    static Task<bool> send(std::shared_ptr<NodeLink> self, std::string message, Duration limit);
    /// The first message, if it is a hello and came within `limit`.
    static Task<Result<agent::Hello>> read_hello(std::shared_ptr<NodeLink> self, Duration limit);

    Runtime& runtime;
    std::string remote;
    link::Session session;
    Signal wake;  ///< something to send, or closed
    bool closed = false;
    std::string why;  ///< the session's end, once it ended

    NodeId node;
    http::PeerKey peer;  ///< what the transport proved
    std::string hostname;
    std::string certificate;  ///< PEM to send, if any
    std::string name;
    std::string boot_id;
    std::string process_nonce;
    std::optional<DesiredSync> sync;  ///< from the hello on
    Backoff resend_backoff{{}};
    bool ask_observed = false;
    bool is_stopping_noted = false;  ///< and to be answered
    std::optional<BootTime> asked_observed_at;
    std::string accepted_untold{};  ///< what the node holds, until it is known what there is on it
    std::uint64_t frames_seen = 0;
};

/// A channel as the executor's users see it. Keeps nothing alive but the channel.
std::unique_ptr<NodeStream> make_node_stream(std::shared_ptr<link::Channel> channel);

/// What a refused agent is told on a connection that is already up: {"type": "refused", "code", "detail",
/// "hint"}.
std::string encode_refusal(const Error& error);

}  // namespace icos::fleet
