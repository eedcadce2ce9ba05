// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"
#include "process.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace icos::sim {

/// A container as the engine holds it.
struct SimContainer {
    agent::ContainerState state;
    std::string revision;  ///< environment variable REV: tells specs of one component apart
    std::string restart_policy = "no";
    std::uint32_t max_retries = 0;
    bool has_health_check = false;
    bool stopped_by_hand = false;
    std::set<std::string> networks;
    std::set<std::string> volumes;
    std::set<std::string> host_ports;
    std::vector<std::string> bind_sources;  ///< paths of the machine that have to be there
    std::uint64_t run = 0;                  ///< counts starts: events of an earlier run are void

    bool is_up() const { return state.state == "running" || state.state == "restarting"; }
    bool is_healthy() const {
        return state.state == "running" && (state.health.empty() || state.health == "healthy");
    }
    std::string label(const std::string& key) const;
};

/// What images do, told by their names: `…/slow` takes a minute to pull, `…/absent` is in no registry,
/// `…/crash` exits with 1 a few seconds after each start, `…/job` exits with 0, `…/sick` has a health check
/// that fails; all others run on.
struct ImageTraits {
    bool exists = true;
    SimTime pull_time = 2s;
    std::optional<int> exits_with;
    SimTime exits_after = 3s;
    bool never_healthy = false;
};
ImageTraits traits_of(const std::string& reference);

/// The container engine of one machine: a daemon that outlives agents, with Docker's rules for names, ports,
/// restart policies, networks and volumes in use. Everything that happens to a container is told to the
/// observer.
class SimEngine {
public:
    /// What was done to a container, by whom.
    enum class Act {
        created,
        started,
        stopped,
        removed,
        renamed,
        died,
        restarted_by_engine,
        health,
        lost_power
    };
    struct Change {
        Act act = Act::created;
        const SimContainer& container;  ///< before the act for stopped and removed, after it otherwise
        bool by_agent = false;
    };

    SimEngine(World& world, Machine& machine);
    ~SimEngine();
    SimEngine(const SimEngine&) = delete;
    SimEngine& operator=(const SimEngine&) = delete;

    void observe(std::function<void(const Change&)> observer) { observer_ = std::move(observer); }
    /// Whether a path of the machine exists; containers that mount one that does not are not started.
    void set_paths(std::function<bool(const std::string&)> exists) { has_path_ = std::move(exists); }
    const std::map<std::string, SimContainer>& containers() const noexcept { return containers_; }
    const std::set<std::string>& network_names() const noexcept { return network_names_; }
    const std::set<std::string>& volume_names() const noexcept { return volume_names_; }

    // Faults.
    void set_available(bool available);  ///< false: calls fail with engine.unreachable
    bool available() const noexcept { return available_ && powered_; }
    void set_registry_reachable(bool reachable) { registry_reachable_ = reachable; }
    void restart();   ///< the daemon restarts: containers end, policies bring them back
    bool kill_one();  ///< a running container dies; false if there is none
    void power_off();
    void power_on();

private:
    friend class SimEngineClient;
    struct Queue;
    using Labels = agent::LabelMap;
    struct Resource {
        Labels labels;
    };
    SimContainer* find(const std::string& id_or_name);
    Result<std::string> create(const std::string& name, const boost::json::object& body);
    Result<void> start(const std::string& id);
    Result<void> stop(const std::string& id);
    Result<void> remove(const std::string& id);
    bool kill_processes(const std::string& id);
    Result<void> may_start(const SimContainer& container) const;
    void run(SimContainer& container, Act act, bool by_agent);
    void ended(SimContainer& container, int exit_code);
    void end_all(int exit_code);
    void start_by_policy();
    void later(const SimContainer& container, SimTime delay, std::function<void(SimContainer&)> then);
    void emit(const std::string& action, const SimContainer& container);
    void tell(Act act, const SimContainer& container, bool by_agent);
    void end_streams();
    std::int64_t now_ms() const;

    World& world_;
    Machine& machine_;
    Rng rng_;
    std::function<void(const Change&)> observer_;
    std::function<bool(const std::string&)> has_path_;
    std::map<std::string, SimContainer> containers_;
    std::map<std::string, Resource> networks_;
    std::map<std::string, Resource> volumes_;
    std::set<std::string> network_names_;
    std::set<std::string> volume_names_;
    std::map<std::string, agent::ImageState> images_;
    std::list<std::weak_ptr<Queue>> listeners_;
    bool available_ = true;
    bool powered_ = true;
    bool registry_reachable_ = true;
    std::uint64_t ids_ = 0;
};

/// The engine as one agent process reaches it. A call takes effect after a seeded while and answers after
/// another; one of a process that died in between has no effect.
class SimEngineClient final : public agent::Engine {
public:
    SimEngineClient(SimEngine& engine, SimProcess& process);

    Task<Result<agent::EngineInfo>> info() override;
    Task<Result<std::vector<agent::ContainerState>>> containers(agent::LabelMap labels) override;
    Task<Result<agent::ContainerState>> inspect(std::string id) override;
    Task<Result<std::string>> create_container(std::string name, boost::json::object body) override;
    Task<Result<void>> start(std::string id) override;
    Task<Result<void>> stop(std::string id, Duration grace) override;
    Task<Result<bool>> kill_processes(std::string id) override;
    Task<Result<void>> remove_container(std::string id) override;
    Task<Result<void>> rename(std::string id, std::string name) override;
    Task<Result<void>> put_archive(std::string id, std::string path, std::string tar) override;
    Task<Result<std::vector<std::string>>> networks(agent::LabelMap labels) override;
    Task<Result<void>> create_network(std::string name, boost::json::object body) override;
    Task<Result<void>> remove_network(std::string name) override;
    Task<Result<std::string>> gateway(std::string network) override;
    Task<Result<void>> connect_network(
        std::string network, std::string container, boost::json::object endpoint
    ) override;
    Task<Result<std::vector<std::string>>> volumes(agent::LabelMap labels) override;
    Task<Result<void>> create_volume(std::string name, boost::json::object body) override;
    Task<Result<void>> remove_volume(std::string name) override;
    Task<Result<agent::ImageState>> image(std::string reference) override;
    Task<Result<void>> pull(std::string reference, std::string auth, agent::PullProgress progress) override;
    Task<Result<void>> remove_image(std::string reference) override;
    Task<Result<bool>> has_path(std::string container, std::string path) override;
    Task<Result<std::unique_ptr<agent::EngineStream<agent::EngineEvent>>>> events(agent::LabelMap labels
    ) override;
    Task<Result<std::unique_ptr<agent::EngineStream<agent::LogLine>>>> logs(
        std::string id, agent::LogQuery query
    ) override;
    Task<Result<std::unique_ptr<agent::ExecSession>>> exec(std::string id, agent::ExecQuery query) override;

private:
    class EventStream;
    Task<Result<void>> enter(SimTime extra = {});
    Task<> leave();

    SimEngine& engine_;
    SimProcess& process_;
};

}  // namespace icos::sim
