// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/engine.hpp"
#include "icos/async/runtime.hpp"
#include "icos/async/signal.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace icos::test {

/// What containers of an image do once they are started.
struct ImageBehaviour {
    std::optional<int> exits_with;  ///< ends by itself …
    Duration exits_after{0};        ///< … after this long
    Duration healthy_after{0};      ///< with a health check: starting until then
    bool never_healthy = false;     ///< becomes unhealthy instead
    std::string start_error;        ///< start fails with these words
};

/// A container engine in memory, with the rules of Docker that the agent depends on: unique names, one holder
/// of a published port, restart policies, networks and volumes that cannot go while in use, events. Its clock
/// and its delays are the runtime's, so a simulation may freeze it, and it outlives the agents that use it.
/// Loop-confined.
class FakeEngine final : public agent::Engine {
public:
    explicit FakeEngine(Runtime& runtime);
    ~FakeEngine() override;

    struct Container {
        agent::ContainerState state;
        boost::json::object body;
        std::string restart_policy = "no";
        std::uint32_t max_retries = 0;
        bool has_health_check = false;
        bool stopped_by_hand = false;
        std::set<std::string> networks;
        std::set<std::string> volumes;
        std::vector<std::string> host_ports;
        std::map<std::string, std::string> archives;  ///< path -> tar
        std::uint64_t run = 0;                        ///< counts starts: timers of an earlier run are void
        std::vector<std::unique_ptr<Timer>> timers;
    };

    // What tests arrange.
    std::map<std::string, agent::ImageState> images;    ///< present locally, by reference
    std::map<std::string, agent::ImageState> registry;  ///< can be pulled
    std::map<std::string, ImageBehaviour> behaviours;   ///< by image reference
    bool available = true;                              ///< false: engine.unreachable for every call
    bool registry_reachable = true;
    Duration latency{0};  ///< of every call
    Duration pull_time{0};
    /// Whether a path of the machine exists: a mount of one that does not is refused. Empty: all do.
    std::function<bool(const std::string&)> has_host_path;
    std::string architecture = "x86_64";
    std::string data_root = "/engine";
    std::set<std::string> paths;  ///< files in containers, "<container name>:<path>"
    /// The next call of `operation` ("start", "pull", …) whose subject contains `subject` fails with `error`.
    void fail_next(std::string operation, std::string subject, Error error);
    void add_image(const std::string& reference, const std::string& arch = "x86_64");
    void add_to_registry(const std::string& reference, const std::string& arch = "x86_64");

    // What happens to the machine.
    void die(const std::string& id, int exit_code);  ///< the process of a running container ends
    void restart_engine();                           ///< as a reboot: policies decide what runs again
    void set_health(const std::string& id, std::string health);

    // What tests look at.
    const std::map<std::string, Container>& all() const noexcept { return containers_; }
    std::vector<std::string> names(const std::string& state = "")
        const;  ///< of containers in that state, sorted
    const Container* by_name(const std::string& name) const;
    const std::map<std::string, agent::LabelMap>& all_networks() const noexcept { return networks_; }
    const std::map<std::string, agent::LabelMap>& all_volumes() const noexcept { return volumes_; }
    std::uint64_t count(const std::string& operation) const;  ///< calls so far
    std::vector<std::string> journal;  ///< "start web", "pull demo/web:1" …: changing calls only

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

    /// Lines that logs() returns, by container name.
    std::map<std::string, std::vector<agent::LogLine>> log_lines;

private:
    struct EventQueue;
    class EventStream;
    class LogStream;
    class Exec;

    std::string missing_mount(const boost::json::object& body) const;
    Task<Result<void>> enter(std::string operation, std::string subject);
    Container* find(const std::string& id_or_name);
    void run(Container& container, bool by_policy);
    void ended(Container& container, int exit_code);
    void emit(const std::string& action, const Container& container);
    void after(Container& container, Duration delay, std::function<void(Container&)> then);
    std::string next_id();

    Runtime& runtime_;
    std::map<std::string, Container> containers_;
    std::map<std::string, agent::LabelMap> networks_;
    std::map<std::string, agent::LabelMap> volumes_;
    std::list<std::weak_ptr<EventQueue>> listeners_;
    std::map<std::string, std::uint64_t> counts_;
    struct Failure {
        std::string operation;
        std::string subject;
        Error error;
    };
    std::deque<Failure> failures_;
    std::uint64_t ids_ = 0;
};

}  // namespace icos::test
