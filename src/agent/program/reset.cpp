// SPDX-License-Identifier: Apache-2.0
#include "../accepted_log.hpp"
#include "../agent_status.hpp"
#include "../disk_watch.hpp"
#include "command_loop.hpp"
#include "icos/agent/container_plan.hpp"
#include "icos/agent/docker_engine.hpp"
#include "program.hpp"
#include "state_lock.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace icos::agent {
namespace {

/// What the node that this machine was has left on the engine.
struct Belongings {
    std::vector<ContainerState> containers;
    std::vector<std::string> networks;
    std::vector<std::string> volumes;
};

Task<Result<Belongings>> find_belongings(Engine* engine, std::string node_id) {
    const LabelMap labels = owned_labels(node_id);
    Belongings out;
    Result<std::vector<ContainerState>> containers = co_await engine->containers(labels);
    if (containers.has_error()) co_return containers.error();
    out.containers = std::move(*containers);
    Result<std::vector<std::string>> networks = co_await engine->networks(labels);
    if (networks.has_error()) co_return networks.error();
    out.networks = std::move(*networks);
    Result<std::vector<std::string>> volumes = co_await engine->volumes(labels);
    if (volumes.has_error()) co_return volumes.error();
    out.volumes = std::move(*volumes);
    co_return out;
}

Task<Result<bool>> remove_belongings(Engine* engine, Belongings belongings) {
    for (const ContainerState& container : belongings.containers) {
        const Result<void> removed = co_await engine->remove_container(container.id);
        if (removed.has_error()) co_return removed.error();
        std::printf("removed container %s\n", container.name.c_str());
    }
    for (const std::string& network : belongings.networks) {
        const Result<void> removed = co_await engine->remove_network(network);
        if (removed.has_error()) co_return removed.error();
        std::printf("removed network %s\n", network.c_str());
    }
    co_return true;
}

/// The accepted set first, so that an agent that starts half-way makes nothing of it again; the identity
/// last, so that whatever cuts this short, it can be done again.
Result<void> remove_files(Disk& disk, const std::string& state_dir) {
    const std::array<std::string, 11> files{
        state_dir + "/accepted.log",
        state_dir + "/accepted.log.unreadable",
        state_dir + "/accepted.log.damaged",
        state_dir + "/records.json",
        state_dir + "/secrets.sealed",
        state_dir + "/secrets.sealed.unreadable",
        state_dir + "/seal.key",
        status_path(state_dir),
        reserve_path(state_dir),
        state_dir + "/node.key",
        identity_path(state_dir)
    };
    for (const std::string& file : files) {
        const Result<void> removed = disk.remove(file);
        if (removed.has_error()) return removed;
    }
    return disk.sync_directory(state_dir);
}

/// What containers saw of their secrets; they are gone by now.
Result<void> remove_secret_files(const std::string& directory) {
    std::error_code failed;
    std::filesystem::remove_all(directory, failed);
    if (!failed) return {};
    return Error{
        errc::io,
        "cannot remove " + directory + ": " + failed.message(),
        "remove it by hand: it holds secrets"
    };
}

bool ask(const std::string& name) {
    std::printf("Type the node's name (%s) to go on: ", name.c_str());
    std::fflush(stdout);
    std::array<char, 300> line{};
    if (std::fgets(line.data(), static_cast<int>(line.size()), stdin) == nullptr) return false;
    std::string answer = line.data();
    while (!answer.empty() && (answer.back() == '\n' || answer.back() == '\r')) answer.pop_back();
    return answer == name;
}

int refuse(const Error& error) {
    print(error);
    return 1;
}

}  // namespace

int run_reset_identity(const ResetOptions& options) {
    const std::unique_ptr<Disk> disk = make_posix_disk();
    const Result<Identity> identity = load_identity(*disk, options.state_dir);
    const bool is_damaged = identity.has_error() && identity.error().code == errc::invalid;
    if (identity.has_error() && !is_damaged) return refuse(identity.error());
    const Result<StateLock> lock = StateLock::take(options.state_dir);
    if (lock.has_error()) return refuse(lock.error());
    if (is_damaged && !options.keep_containers) {
        Error unknown = identity.error();
        unknown.hint =
            "which containers were its own is not known any more: reset with --keep-containers, and "
            "remove them by hand (docker ps --filter label=icos.eu/managed-by)";
        return refuse(unknown);
    }

    std::string socket = options.docker_socket;
    if (socket.empty() && !is_damaged) socket = identity->docker_socket;
    if (socket.empty()) socket = default_socket();
    Belongings belongings;
    if (!options.keep_containers) {
        ProductionRuntime runtime(small_runtime());
        const std::unique_ptr<Engine> engine = make_docker_engine(runtime, socket);
        Result<Belongings> found = run_to_end(runtime, find_belongings(engine.get(), identity->node_id));
        if (found.has_error()) {
            Error error = found.error();
            error.hint += (error.hint.empty() ? "" : "; ") +
                          std::string("or leave what runs there alone: --keep-containers");
            return refuse(error);
        }
        belongings = std::move(*found);
    }
    const std::string name = is_damaged ? "unknown" : identity->name;
    std::printf(
        "This machine stops being node %s. Key, certificate, accepted set and secrets are removed; %zu "
        "containers and "
        "%zu "
        "networks too; %zu volumes stay.\n",
        name.c_str(),
        belongings.containers.size(),
        belongings.networks.size(),
        belongings.volumes.size()
    );
    if (!options.is_confirmed && isatty(STDIN_FILENO) == 0) {
        std::fprintf(stderr, "error: nobody can be asked here\n  --yes goes on without asking\n");
        return 2;
    }
    if (!options.is_confirmed && !ask(name)) {
        std::printf("Nothing was changed.\n");
        return 1;
    }
    const Result<void> log_removed = disk->remove(options.state_dir + "/accepted.log");
    if (log_removed.has_error()) return refuse(log_removed.error());
    if (!options.keep_containers) {
        ProductionRuntime runtime(small_runtime());
        const std::unique_ptr<Engine> engine = make_docker_engine(runtime, socket);
        const Result<bool> removed = run_to_end(runtime, remove_belongings(engine.get(), belongings));
        if (removed.has_error()) return refuse(removed.error());
        const Result<void> cleared = remove_secret_files(options.secrets_dir);
        if (cleared.has_error()) return refuse(cleared.error());
    }
    const Result<void> removed = remove_files(*disk, options.state_dir);
    if (removed.has_error()) return refuse(removed.error());
    for (const std::string& volume : belongings.volumes) std::printf("volume %s stays\n", volume.c_str());
    std::printf("Done. Join it with a new token: icos node token, on the controller, prints the command.\n");
    return 0;
}

}  // namespace icos::agent
