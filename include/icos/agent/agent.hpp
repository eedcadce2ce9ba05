// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/container_plan.hpp"
#include "icos/agent/engine.hpp"
#include "icos/agent/engine_claim.hpp"
#include "icos/agent/protocol.hpp"
#include "icos/agent/relay.hpp"
#include "icos/async/runtime.hpp"
#include "icos/http/message.hpp"
#include "icos/store/disk.hpp"

#include <memory>
#include <string>
#include <vector>

namespace icos::agent {

/// Connects to a controller as this node (certificate and key of the identity). One call, one connection.
class Dialer {
public:
    virtual ~Dialer() = default;
    virtual Task<Result<std::unique_ptr<http::FrameStream>>> dial(std::string controller) = 0;
    /// The controller renewed this node's certificate (PEM): later calls use it. An error leaves the old one
    /// in use, which opens links as well.
    virtual Task<Result<void>> take_certificate(std::string /*certificate*/) { co_return Result<void>(); }
};

/// Facts of the machine. Called on Pool::blocking.
class FactsSource {
public:
    virtual ~FactsSource() = default;
    virtual Facts read() = 0;  ///< without the engine members
    virtual std::string boot_id() = 0;
};

struct Settings {
    std::string node_id;  ///< = target id, also the value of the `icos.eu/target` label
    std::string name;
    std::vector<std::string> controllers;  ///< addresses, tried in turn
    std::string state_dir;                 ///< accepted log and snapshots; must exist
    std::string credentials_dir;           ///< of systemd, or empty: where the key to seal with may be
    /// Files of secrets that containers see, in a file system in memory.
    std::string secrets_dir = std::string(kDefaultSecretsDir);
    Duration link_silence{15'000};
    Duration longest_pause{15'000};       ///< between two attempts to reach a controller
    Duration reconcile_interval{60'000};  ///< a full look at the engine, besides its events
    EngineClaim* claim = nullptr;         ///< must outlive the agent; null: nobody else can have the engine
};

/// The node side: keeps the link, the accepted set and the engine in step. Works without a controller: what
/// the accepted log holds is reconciled at start. Stopping it never touches containers. Loop-confined.
class Agent {
public:
    /// References must outlive the agent.
    Agent(
        Runtime& runtime,
        Disk& disk,
        Engine& engine,
        Relay& relay,
        Dialer& dialer,
        FactsSource& facts,
        Settings settings
    );
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    /// Replays the accepted log and starts the loops. Fails only if the log cannot be opened.
    Task<Result<void>> start();
    Task<> stop(Duration deadline);
    bool connected() const noexcept;
    /// Prometheus text: reconnects, reconcile counts, log bytes.
    std::string metrics() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace icos::agent
