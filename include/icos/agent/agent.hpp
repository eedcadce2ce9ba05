// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"
#include "icos/agent/protocol.hpp"
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
    Duration link_silence{15'000};
    Duration longest_pause{30'000};       ///< between two attempts to reach a controller
    Duration reconcile_interval{60'000};  ///< a full look at the engine, besides its events
};

/// The node side: keeps the link, the accepted set and the engine in step. Works without a controller: what
/// the accepted log holds is reconciled at start. Stopping it never touches containers. Loop-confined.
class Agent {
public:
    /// References must outlive the agent.
    Agent(
        Runtime& runtime, Disk& disk, Engine& engine, Dialer& dialer, FactsSource& facts, Settings settings
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
