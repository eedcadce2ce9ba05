// SPDX-License-Identifier: Apache-2.0
#include "program.hpp"

#include "../accepted_log.hpp"
#include "../facts.hpp"
#include "controller_dialer.hpp"
#include "icos/agent/agent.hpp"
#include "icos/agent/docker_engine.hpp"
#include "icos/async/production_runtime.hpp"
#include "icos/async/task_group.hpp"
#include "icos/runtime/systemd.hpp"
#include "state_lock.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace icos::agent {
namespace {

const Log kLog("agent.program");
constexpr Duration kStopTime{4'000};

void print(const Error& error) {
    std::fprintf(stderr, "error: %s [%s]\n", error.detail.c_str(), stable_code(error).c_str());
    if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
}

/// One loop, and threads that begin only when the first file is written or the first name resolved.
ProductionRuntime::Settings small_runtime() {
    return {.io_threads = 0, .compute_threads = 1, .blocking_threads = 1};
}

template <class T>
Task<> to_result(Task<Result<T>> task, std::optional<Result<T>>* out, ProductionRuntime* runtime) {
    out->emplace(co_await std::move(task));
    runtime->stop();
}

template <class T>
Result<T> run_to_end(ProductionRuntime& runtime, Task<Result<T>> task) {
    std::optional<Result<T>> result;
    TaskGroup group(runtime);
    group.spawn("agent.command", to_result(std::move(task), &result, &runtime));
    runtime.run();
    if (!result) return Error{errc::internal, "the command ended without a result"};
    return std::move(*result);
}

Task<Result<Identity>> join_with_facts(Runtime& runtime, Disk& disk, JoinOptions options, Facts* facts) {
    const DeclaredFacts declared{options.labels, options.devices, options.controller};
    auto read = [declared] { return HostFacts("/", declared).read(); };
    *facts = co_await offload(runtime, Pool::blocking, std::move(read));
    const std::unique_ptr<Engine> engine = make_docker_engine(runtime, options.docker_socket);
    const Result<EngineInfo> info = co_await engine->info();
    if (info.has_value()) {
        facts->engine = info->kind;
        facts->engine_version = info->version;
    } else {
        facts->engine_problem = describe(info.error());
    }
    co_return co_await join(runtime, disk, std::move(options), *facts);
}

bool has_systemd() {
    struct stat found{};
    return stat("/run/systemd/system", &found) == 0 && S_ISDIR(found.st_mode);
}

bool start_service() {
    const char* const arguments[] = {
        "systemctl", "--quiet", "enable", "--now", "icos-agent.service", nullptr
    };
    pid_t child = 0;
    if (posix_spawnp(&child, "systemctl", nullptr, nullptr, const_cast<char* const*>(arguments), environ) !=
        0)
        return false;
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// The agent's life inside the loop: start, run until a signal, stop.
class Service {
public:
    Service(ProductionRuntime& runtime, Disk& disk, const Identity& identity, const RunOptions& options)
        : runtime_(runtime),
          engine_(make_docker_engine(runtime, options.docker_socket)),
          dialer_(runtime, identity),
          facts_("/", DeclaredFacts{identity.labels, identity.devices, identity.controllers.front()}),
          agent_(runtime, disk, *engine_, dialer_, facts_, settings(identity, options)),
          signals_(runtime.loop(), SIGTERM, SIGINT),
          tasks_(runtime) {}

    int run() {
        await_signal();
        tasks_.spawn("agent.start", start());
        runtime_.run();
        return exit_code_;
    }

private:
    static Settings settings(const Identity& identity, const RunOptions& options) {
        Settings out;
        out.node_id = identity.node_id;
        out.name = identity.name;
        out.controllers = identity.controllers;
        out.state_dir = options.state_dir;
        out.longest_pause = options.longest_pause;
        return out;
    }

    void await_signal() {
        signals_.async_wait([this](boost::system::error_code ec, int number) {
            if (ec) return;
            if (stopping_) std::_Exit(1);
            stopping_ = true;
            kLog.info("stopping; containers go on", {{"signal", number}});
            systemd::notify("STOPPING=1");
            tasks_.spawn("agent.stop", stop());
            await_signal();
        });
    }

    Task<> start() {
        const Result<void> started = co_await agent_.start();
        if (started.has_error()) {
            kLog.error("the agent cannot start", started.error());
            exit_code_ = 1;
            runtime_.stop();
            co_return;
        }
        systemd::notify("READY=1");
        kLog.info("running", {{"version", kAgentVersion}});
        co_await systemd::feed_watchdog(runtime_);
    }

    Task<> stop() {
        co_await agent_.stop(kStopTime);
        runtime_.stop();
    }

    ProductionRuntime& runtime_;
    std::unique_ptr<Engine> engine_;
    ControllerDialer dialer_;
    HostFacts facts_;
    Agent agent_;
    boost::asio::signal_set signals_;
    bool stopping_ = false;
    int exit_code_ = 0;
    TaskGroup tasks_;
};

}  // namespace

std::string default_socket() {
    constexpr std::string_view scheme = "unix://";
    const char* host = std::getenv("DOCKER_HOST");
    if (host != nullptr && std::string_view(host).starts_with(scheme)) return host + scheme.size();
    const std::string docker = "/var/run/docker.sock";
    const std::string podman = "/run/podman/podman.sock";
    if (access(docker.c_str(), F_OK) != 0 && access(podman.c_str(), F_OK) == 0) return podman;
    return docker;
}

int run_agent(const RunOptions& given) {
    // One arena, given back when it empties: the loop's thread does nearly all of the work.
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 << 10);
    mallopt(M_MMAP_THRESHOLD, 64 << 10);
    configure_logging(given.log);
    const std::unique_ptr<Disk> disk = make_posix_disk();
    const Result<Identity> identity = load_identity(*disk, given.state_dir);
    if (identity.has_error()) {
        print(identity.error());
        return 1;
    }
    const Result<StateLock> lock = StateLock::take(given.state_dir);
    if (lock.has_error()) {
        print(lock.error());
        return 1;
    }
    RunOptions options = given;
    if (options.docker_socket.empty()) options.docker_socket = identity->docker_socket;
    if (options.docker_socket.empty()) options.docker_socket = default_socket();
    kLog.info(
        "node", {{"name", identity->name}, {"id", identity->node_id}, {"engine", options.docker_socket}}
    );
    ProductionRuntime runtime(small_runtime());
    Service service(runtime, *disk, *identity, options);
    return service.run();
}

int run_join(JoinOptions options, bool start) {
    const std::unique_ptr<Disk> disk = make_posix_disk();
    const std::string state_dir = options.state_dir;
    const bool is_default_socket = options.docker_socket.empty();
    std::string socket = is_default_socket ? default_socket() : options.docker_socket;
    JoinOptions asked = std::move(options);
    asked.docker_socket = socket;
    ProductionRuntime runtime(small_runtime());
    Facts facts;
    const Result<Identity> identity =
        run_to_end(runtime, join_with_facts(runtime, *disk, std::move(asked), &facts));
    if (identity.has_error()) {
        print(identity.error());
        return 1;
    }
    std::printf(
        "Node %s joined as node %s", describe_node(identity->name, facts).c_str(), identity->node_id.c_str()
    );
    if (start && has_systemd() && state_dir == kDefaultStateDir) {
        if (start_service()) {
            std::printf("; service icos-agent started.\n");
            return 0;
        }
        std::printf(".\n");
        std::fprintf(
            stderr, "warning: systemctl could not start icos-agent.service; see systemctl status icos-agent\n"
        );
        return 0;
    }
    std::string command = "icos-agent run";
    if (state_dir != kDefaultStateDir) command += " --state-dir " + state_dir;
    std::printf(".\n%s: %s\n", start ? "No systemd here; start it with" : "Start it with", command.c_str());
    if (!facts.engine_problem.empty()) {
        std::fprintf(stderr, "warning: no container engine: %s\n", facts.engine_problem.c_str());
    }
    return 0;
}

int run_status(const std::string& state_dir) {
    const std::unique_ptr<Disk> disk = make_posix_disk();
    const Result<Identity> identity = load_identity(*disk, state_dir);
    if (identity.has_error()) {
        print(identity.error());
        return 1;
    }
    const bool runs = StateLock::take(state_dir).has_error();
    const Result<std::string> log = disk->read_all(state_dir + "/accepted.log");
    const Replay replay = replay_accepted_log(log.has_value() ? *log : std::string());
    std::string controllers;
    for (const std::string& controller : identity->controllers)
        controllers += (controllers.empty() ? "" : ", ") + controller;
    std::printf("node        %s (%s)\n", identity->name.c_str(), identity->node_id.c_str());
    std::printf("cluster     %s\n", identity->cluster.c_str());
    std::printf("controller  %s at %s\n", identity->controller_name.c_str(), controllers.c_str());
    std::printf("agent       %s\n", runs ? "running" : "not running");
    std::printf("components  %zu\n", replay.set.size());
    for (const auto& [id, placement] : replay.set) {
        std::printf(
            "  %s/%s  generation %llu%s\n",
            placement.app.c_str(),
            placement.component.c_str(),
            static_cast<unsigned long long>(placement.generation),
            placement.run ? "" : "  stopped"
        );
    }
    return 0;
}

}  // namespace icos::agent
