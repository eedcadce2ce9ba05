// SPDX-License-Identifier: Apache-2.0
#include "program.hpp"

#include "../accepted_log.hpp"
#include "../agent_status.hpp"
#include "../facts.hpp"
#include "../secret_store.hpp"
#include "command_loop.hpp"
#include "controller_dialer.hpp"
#include "engine_lock.hpp"
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
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace icos::agent {
namespace {

const Log kLog("agent.program");
constexpr Duration kStopTime{4'000};

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

/// Where systemd puts the unit's credentials; empty without any.
std::string credentials_directory() {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    return directory == nullptr ? std::string() : std::string(directory);
}

/// The nearest directory that exists is looked at: the agent makes the others.
bool is_in_memory(std::string path) {
    struct statfs found{};
    while (statfs(path.c_str(), &found) != 0) {
        const std::size_t slash = path.rfind('/');
        if (slash == std::string::npos) return false;
        path.resize(std::max<std::size_t>(slash, 1));
        if (path == "/") break;
    }
    constexpr auto kTmpfs = 0x01021994;
    constexpr auto kRamfs = 0x858458F6;
    return statfs(path.c_str(), &found) == 0 && (found.f_type == kTmpfs || found.f_type == kRamfs);
}

void warn_of_disk(const std::string& secrets_dir) {
    if (is_in_memory(secrets_dir)) return;
    kLog.warning(
        "the secrets directory is not in memory: what containers get as secrets lies on a disk in clear; "
        "mount a tmpfs there, or name another one with --secrets-dir",
        {{"directory", secrets_dir}}
    );
}

/// Loads the key and has the store make its files.
Task<Result<void>> make_secret_files(SecretStore& store, Seal seal) {
    co_return co_await store.open(std::make_shared<const Seal>(std::move(seal)));
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
          relay_(make_tcp_relay(runtime, RelaySettings{})),
          dialer_(runtime, disk, options.state_dir, identity),
          claim_(
              kEngineLocks,
              "node " + identity.name + " (process " + std::to_string(getpid()) + ", state in " +
                  options.state_dir + ")"
          ),
          facts_("/", DeclaredFacts{identity.labels, identity.devices, identity.controllers.front()}),
          agent_(runtime, disk, *engine_, *relay_, dialer_, facts_, settings(identity, options, claim_)),
          signals_(runtime.loop(), SIGTERM, SIGINT),
          tasks_(runtime) {}

    int run() {
        await_signal();
        tasks_.spawn("agent.start", start());
        runtime_.run();
        return exit_code_;
    }

private:
    static Settings settings(const Identity& identity, const RunOptions& options, EngineClaim& claim) {
        Settings out;
        out.claim = &claim;
        out.node_id = identity.node_id;
        out.name = identity.name;
        out.controllers = identity.controllers;
        out.state_dir = options.state_dir;
        out.credentials_dir = credentials_directory();
        out.secrets_dir = options.secrets_dir;
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
    std::unique_ptr<Relay> relay_;
    ControllerDialer dialer_;
    EngineLock claim_;
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
    warn_of_disk(options.secrets_dir);
    ProductionRuntime runtime(small_runtime());
    Service service(runtime, *disk, *identity, options);
    return service.run();
}

int run_prepare(const std::string& state_dir, const std::string& secrets_dir) {
    const std::unique_ptr<Disk> disk = make_posix_disk();
    // A node that has not joined, or was never given a secret.
    if (!disk->exists(state_dir + "/secrets.sealed")) return 0;
    Result<Seal> seal = load_seal_key(*disk, {credentials_directory(), state_dir});
    if (seal.has_error()) {
        print(seal.error());
        return 1;
    }
    warn_of_disk(secrets_dir);
    ProductionRuntime runtime(small_runtime());
    SecretStore store(runtime, *disk, state_dir, secrets_dir);
    const Result<void> made = run_to_end(runtime, make_secret_files(store, std::move(*seal)));
    if (made.has_error()) {
        print(made.error());
        return 1;
    }
    std::printf("%zu files of secrets are in %s\n", store.size(), secrets_dir.c_str());
    return 0;
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

namespace {

/// "  what to do" under a line, if there is something.
void print_hint(const std::string& hint) {
    if (!hint.empty()) std::printf("            -> %s\n", hint.c_str());
}

void print_link(Disk& disk, const std::string& state_dir, bool runs) {
    const Result<std::string> text = disk.read_all(status_path(state_dir));
    const std::optional<AgentStatus> status =
        text.has_value() ? decode_status(*text) : std::optional<AgentStatus>();
    if (!status || !runs) {
        std::printf("link        %s\n", runs ? "unknown" : "none: the agent does not run");
        if (!runs) print_hint("systemctl start icos-agent; journalctl -u icos-agent says why it ended");
        return;
    }
    const std::string since = to_rfc3339(from_ms(status->since_ms));
    if (status->is_connected) {
        std::printf("link        connected to %s since %s\n", status->controller.c_str(), since.c_str());
    } else if (!status->problem.empty()) {
        std::printf(
            "link        none since %s: %s [%s]\n",
            since.c_str(),
            status->problem.c_str(),
            status->code.c_str()
        );
        print_hint(status->hint);
    } else {
        std::printf("link        not yet connected\n");
    }
    constexpr std::int64_t tolerated_ms = 60'000;
    if (status->clock_ms && (*status->clock_ms > tolerated_ms || *status->clock_ms < -tolerated_ms)) {
        std::printf(
            "clock       %lld s %s the controller's\n",
            static_cast<long long>(std::abs(*status->clock_ms) / 1000),
            *status->clock_ms < 0 ? "behind" : "ahead of"
        );
        print_hint("timedatectl set-ntp true");
    }
    if (!status->engine_problem.empty()) std::printf("engine      %s\n", status->engine_problem.c_str());
    if (!status->disk_problem.empty()) std::printf("disk        %s\n", status->disk_problem.c_str());
}

}  // namespace

int run_status(const std::string& state_dir) {
    const std::unique_ptr<Disk> disk = make_posix_disk();
    const Result<Identity> identity = load_identity(*disk, state_dir);
    if (identity.has_error()) {
        print(identity.error());
        return 1;
    }
    const bool runs = StateLock::take(state_dir).has_error();
    const Result<std::string> log = disk->read_all(state_dir + "/accepted.log");
    Replay replay;
    if (log.has_value()) {
        const Result<Seal> seal = load_seal_key(*disk, {credentials_directory(), state_dir});
        if (seal.has_error()) {
            print(seal.error());
            return 1;
        }
        replay = replay_accepted_log(*log, *seal);
    }
    std::string controllers;
    for (const std::string& controller : identity->controllers)
        controllers += (controllers.empty() ? "" : ", ") + controller;
    std::printf("node        %s (%s)\n", identity->name.c_str(), identity->node_id.c_str());
    std::printf("cluster     %s\n", identity->cluster.c_str());
    std::printf("controller  %s at %s\n", identity->controller_name.c_str(), controllers.c_str());
    std::printf("agent       %s\n", runs ? "running" : "not running");
    const Result<WallTime> until = certificate_end(identity->certificate, identity->key);
    std::printf(
        "certificate %s\n", until.has_error() ? "unreadable" : ("until " + to_rfc3339(*until)).c_str()
    );
    print_link(*disk, state_dir, runs);
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
