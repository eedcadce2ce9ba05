// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/task.hpp"
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace icos::agent {

/// engine.unreachable, engine.not_found, engine.conflict (name taken, in use), engine.port_taken,
/// engine.image_not_found, engine.image_denied (credentials), engine.wrong_architecture, engine.no_space
/// (kind storage_full), engine.refused (any other 4xx, with the engine's words), engine.failed (5xx).
enum class engine_errc {
    unreachable = 1,
    not_found,
    conflict,
    port_taken,
    image_not_found,
    image_denied,
    wrong_architecture,
    no_space,
    refused,
    failed
};
const ErrorDomain& engine_domain() noexcept;
inline boost::system::error_code make_error_code(engine_errc e) noexcept {
    return {static_cast<int>(e), engine_domain()};
}

struct EngineInfo {
    std::string kind;  ///< "docker" | "podman"
    std::string version;
    std::string api_version;   ///< negotiated, at least "1.40"
    std::string architecture;  ///< "x86_64" | "arm64" …
    std::string id;            ///< the engine's own identity: two agents on one engine are told by it
    std::string data_root{};   ///< where it keeps images and volumes, as the engine sees the file system
};

using LabelMap = std::map<std::string, std::string>;

struct ContainerState {
    std::string id;
    std::string name;  ///< without the leading '/'
    std::string image;
    std::string image_id;
    std::string state;   ///< created running paused restarting removing exited dead
    std::string health;  ///< "", starting, healthy, unhealthy
    std::optional<int> exit_code;
    std::uint32_t restarts = 0;
    std::int64_t started_ms = 0;  ///< 0 = never
    std::int64_t finished_ms = 0;
    std::string error;  ///< the engine's start error
    bool oom_killed = false;
    LabelMap labels;
    std::map<std::string, std::string> network_ips;  ///< network name -> address
    std::vector<std::string> ports;                  ///< "0.0.0.0:8080->80/tcp"
};

struct ImageState {
    std::string id;
    std::string architecture;
    std::vector<std::string> repo_digests;
};

/// One line of a pull: `current` and `total` bytes of all layers so far (total 0 = unknown yet).
using PullProgress = std::function<void(std::uint64_t current, std::uint64_t total)>;

struct EngineEvent {
    std::string type;    ///< container, network, volume, image
    std::string action;  ///< start, die, health_status: healthy, destroy …
    std::string id;
    LabelMap attributes;  ///< labels of containers among them
    std::int64_t at_ms = 0;
};

/// A followed stream; destroying it ends it.
template <class T>
class EngineStream {
public:
    virtual ~EngineStream() = default;
    virtual Task<Result<std::optional<T>>> next() = 0;  ///< nullopt: ended by the engine
};

struct LogLine {
    bool is_stderr = false;
    std::int64_t at_ms = 0;
    std::string timestamp;  ///< RFC 3339 with nanoseconds as the engine wrote it
    std::string text;       ///< without the newline
};
struct LogQuery {
    bool follow = false;
    std::optional<std::int64_t> since_ms;
    std::optional<std::uint32_t> tail;
};

struct ExecQuery {
    std::vector<std::string> command;
    bool tty = false;
    bool interactive = false;
};
class ExecSession {
public:
    virtual ~ExecSession() = default;
    struct Output {
        bool is_stderr = false;
        std::string bytes;
    };
    virtual Task<Result<std::optional<Output>>> read() = 0;
    virtual Task<Result<void>> write(std::string input) = 0;
    virtual void close_input() = 0;
    virtual Task<Result<void>> resize(std::uint32_t rows, std::uint32_t columns) = 0;
    virtual Task<Result<int>> exit_code() = 0;  ///< once read() returned nullopt
};

/// A container engine, in the dialect of the Docker Engine API (bodies of create calls are its JSON; Podman
/// serves the same). Every call has its own deadline. The simulated engine of tests/simulation implements it
/// too.
class Engine {
public:
    virtual ~Engine() = default;
    virtual Task<Result<EngineInfo>> info() = 0;

    /// Containers that carry all these labels ("" value = any value), stopped ones too, with inspected state.
    virtual Task<Result<std::vector<ContainerState>>> containers(LabelMap labels) = 0;
    virtual Task<Result<ContainerState>> inspect(std::string id) = 0;
    virtual Task<Result<std::string>> create_container(
        std::string name, boost::json::object body
    ) = 0;  ///< -> id
    virtual Task<Result<void>> start(std::string id) = 0;
    virtual Task<Result<void>> stop(std::string id, Duration grace) = 0;  ///< already stopped is fine
    /// Kills the processes of a container without the engine's help, for when it does not answer and the
    /// container must not go on. False: there are none, or they are not this machine's to see.
    virtual Task<Result<bool>> kill_processes(std::string id) = 0;
    virtual Task<Result<void>> remove_container(std::string id
    ) = 0;  ///< kills it if it runs; anonymous volumes too; absent is fine
    virtual Task<Result<void>> rename(std::string id, std::string name) = 0;
    /// Puts files into a created container: a tar archive unpacked at `path`.
    virtual Task<Result<void>> put_archive(std::string id, std::string path, std::string tar) = 0;

    virtual Task<Result<std::vector<std::string>>> networks(LabelMap labels) = 0;  ///< names
    virtual Task<Result<void>> create_network(
        std::string name, boost::json::object body
    ) = 0;                                                            ///< present with our labels is fine
    virtual Task<Result<void>> remove_network(std::string name) = 0;  ///< absent is fine
    /// The node's own address on the network; empty if it has none. engine.not_found.
    virtual Task<Result<std::string>> gateway(std::string network) = 0;
    virtual Task<Result<void>> connect_network(
        std::string network, std::string container, boost::json::object endpoint
    ) = 0;

    virtual Task<Result<std::vector<std::string>>> volumes(LabelMap labels) = 0;
    virtual Task<Result<void>> create_volume(std::string name, boost::json::object body) = 0;
    virtual Task<Result<void>> remove_volume(std::string name) = 0;  ///< absent is fine

    virtual Task<Result<ImageState>> image(std::string reference
    ) = 0;  ///< engine.image_not_found if absent locally
    /// `auth` is the X-Registry-Auth value or empty.
    virtual Task<Result<void>> pull(std::string reference, std::string auth, PullProgress progress) = 0;
    /// By reference or id. engine.conflict while a container uses it; absent is fine.
    virtual Task<Result<void>> remove_image(std::string reference) = 0;
    /// Whether a container's own file system or one of its volumes has this path; one on tmpfs is not seen.
    virtual Task<Result<bool>> has_path(std::string container, std::string path) = 0;

    /// Container events from now on, for containers with these labels.
    virtual Task<Result<std::unique_ptr<EngineStream<EngineEvent>>>> events(LabelMap labels) = 0;
    virtual Task<Result<std::unique_ptr<EngineStream<LogLine>>>> logs(std::string id, LogQuery query) = 0;
    virtual Task<Result<std::unique_ptr<ExecSession>>> exec(std::string id, ExecQuery query) = 0;
};

}  // namespace icos::agent

template <>
struct boost::system::is_error_code_enum<icos::agent::engine_errc> : std::true_type {};
