// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fake_engine.hpp"
#include "fake_relay.hpp"
#include "frame_pipe.hpp"
#include "icos/agent/agent.hpp"
#include "icos/async/task_group.hpp"
#include "icos/link/session.hpp"
#include "manual_runtime.hpp"
#include "memory_disk.hpp"
#include "run_task.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace icos::test {

/// One service of a test's component: members of its canonical compose form, as JSON text without the braces.
struct ServiceText {
    std::string name;
    std::string members = R"("image":"demo/web:1")";
};

/// A placement of application "hello"; `more` is appended to the manifest's members (",\"volumes\":{…}").
agent::DesiredPlacement make_placement(
    const std::string& id,
    const std::string& digest,
    const std::vector<ServiceText>& services,
    const std::string& more = ""
);

/// Who has the engine, as far as a test says.
struct FixedClaim final : agent::EngineClaim {
    std::string holder;  ///< another agent; empty: nobody
    Result<void> take(const std::string& engine_id) override {
        if (holder.empty()) return {};
        return Error{
            agent::engine_errc::conflict,
            "this container engine (" + engine_id + ") is used by the agent of " + holder,
            "one engine serves one node"
        };
    }
};

class FixedFacts final : public agent::FactsSource {
public:
    agent::Facts facts;
    std::string boot = "boot-1";
    agent::Facts read() override { return facts; }
    std::string boot_id() override { return boot; }
};

/// A controller's end of the link: remembers what it was told, sends what it is told to.
class FakeController final : public agent::Dialer {
public:
    explicit FakeController(Runtime& runtime) : runtime_(runtime), tasks_(runtime) {}
    Task<Result<std::unique_ptr<http::FrameStream>>> dial(std::string controller) override;
    Task<Result<void>> take_certificate(std::string certificate) override {
        certificates.push_back(std::move(certificate));
        co_return Result<void>();
    }

    bool reachable = true;
    bool keeps_silent = false;  ///< no welcome
    bool confirms = true;       ///< says `current` where nothing is to be sent
    bool notes_stopping = true;
    int stopping = 0;     ///< agents that said so
    std::string refusal;  ///< sent instead of a welcome
    std::map<PlacementId, agent::DesiredPlacement> desired;
    std::map<PlacementId, agent::ObservedPlacement> observed;
    std::string observed_digest;
    std::vector<agent::Hello> hellos;
    std::vector<agent::Accepted> accepted;
    std::vector<agent::Observed> reports;
    std::vector<agent::Facts> facts;
    std::vector<std::string> dialled;
    std::vector<std::string> resends;
    std::vector<std::string> certificates;  ///< that the agent took
    std::vector<std::int64_t> clocks;       ///< that the agent told after its hello
    std::int64_t wall_ms = 0;               ///< of the welcome

    /// Sends the whole set, or what changed since `base`.
    void send_desired();
    void send_desired_step(const std::string& base, const agent::Desired& step);
    void send(const std::string& message);
    void drop_link();
    link::Session* session() { return session_.get(); }

private:
    Task<> serve(std::shared_ptr<link::Session> session);
    Task<> run(std::shared_ptr<link::Session> session);
    Task<> write(std::shared_ptr<link::Session> session, std::string message);
    void take(const agent::Observed& report);

    Runtime& runtime_;
    std::shared_ptr<link::Session> session_;
    TaskGroup tasks_;
};

/// One node with its engine and disk, and a controller that may be away.
struct AgentWorld {
    AgentWorld();
    ~AgentWorld();

    ManualRuntime runtime;
    MemoryDisk disk;
    FakeEngine engine{runtime};
    FakeRelay relay;
    FixedFacts facts;
    FixedClaim claim;
    FakeController controller{runtime};
    std::unique_ptr<agent::Agent> node;

    void make_agent();  ///< not started yet
    void start_agent();
    /// The link is cut, or whole again.
    void set_connected(bool connected);
    /// As SIGTERM.
    void stop_agent();
    /// As kill -9: no farewell; the disk keeps what was written.
    void kill_agent();
    void restart_agent() {
        kill_agent();
        start_agent();
    }
    /// The machine goes down and comes up: containers end, unsynced bytes are lost, a new boot id.
    void reboot();
    /// Wants `placements` and lets `time` pass.
    void want(const std::vector<agent::DesiredPlacement>& placements, Duration time = Duration(3'000));
    void pass(Duration time) { runtime.advance(time); }
    /// As the controller knows it.
    const agent::ObservedPlacement& seen(const std::string& id) const;
    std::string state_of(const std::string& id) const;
    /// Ids and start times of all running containers: unchanged means nothing was restarted.
    std::map<std::string, std::int64_t> running() const;
};

}  // namespace icos::test
