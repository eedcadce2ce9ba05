// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Translation of a placement into what the engine is asked to create. Pure: no clock, no I/O, same input
/// same plan. A service gets what docker-compose would give it, apart from names, labels, the application
/// network and bounded logs. `reservations` of cpu are not in a body: they are the matchmaker's, the engine
/// has no such thing.
namespace icos::agent {

/// Labels by which an agent finds what is its own.
namespace label {
inline constexpr std::string_view kApp = "app.icos.eu/name";
inline constexpr std::string_view kComponent = "app.icos.eu/component";
inline constexpr std::string_view kInstance = "app.icos.eu/instance";  ///< AppId
inline constexpr std::string_view kManagedBy = "icos.eu/managed-by";   ///< kManager
inline constexpr std::string_view kTarget = "icos.eu/target";
inline constexpr std::string_view kPlacement = "icos.eu/placement";
inline constexpr std::string_view kReplica = "icos.eu/replica";
inline constexpr std::string_view kService = "icos.eu/service";
inline constexpr std::string_view kIndex = "icos.eu/service-index";  ///< 1-based, of deploy.replicas
inline constexpr std::string_view kDigest = "icos.eu/spec-digest";
inline constexpr std::string_view kGeneration = "icos.eu/generation";
inline constexpr std::string_view kProject = "icos.eu/project";
inline constexpr std::string_view kManager = "icos-agent";
}  // namespace label

/// One file that a container gets before it starts (inline configs).
struct FilePut {
    std::string path;  ///< absolute, in the container
    std::string content;
    unsigned mode = 0444;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    bool operator==(const FilePut&) const = default;
};
/// One file of a secret: the node keeps it in memory, the container sees it as a read-only bind mount.
struct SecretFile {
    std::string source;   ///< path below the node's secrets directory, in secrets_folder()
    std::string content;  ///< never logged, never in a body of the engine
    unsigned mode = 0444;
    std::optional<std::uint32_t> uid{};  ///< absent: the agent's user
    std::optional<std::uint32_t> gid{};
    bool operator==(const SecretFile&) const = default;
};
/// Where the agent keeps the files of secrets unless told otherwise; /run is in memory.
inline constexpr std::string_view kDefaultSecretsDir = "/run/icos-agent/secrets";
/// A tar archive (ustar) of the files, for Engine::put_archive(id, "/", tar). core.invalid for a path that is
/// not absolute, has a ".." part or does not fit the format.
Result<std::string> make_tar(const std::vector<FilePut>& files);

enum class StartCondition { started, healthy, completed };
struct Dependency {
    std::string service;
    StartCondition condition = StartCondition::started;
    bool required = true;  ///< false: start anyhow when it cannot be met
    bool operator==(const Dependency&) const = default;
};

struct NetworkAttachment {
    std::string network;
    boost::json::object endpoint;  ///< EndpointConfig of POST /networks/{id}/connect
};

/// `host` 0: the engine chooses.
struct PublishedPort {
    std::string host_ip;  ///< empty: all addresses
    std::uint16_t host = 0;
    std::uint16_t target = 0;
    std::string protocol = "tcp";
    bool operator==(const PublishedPort&) const = default;
};

enum class RestartPolicy { no, always, unless_stopped, on_failure };

struct ContainerPlan {
    std::string name;         ///< icos-<app>-<component>-<replica>-<service>-<index>
    std::string staged_name;  ///< the same with -g<digest>: the new generation while the old one has `name`
    std::string service;
    std::uint32_t index = 1;
    boost::json::object body;                      ///< of POST /containers/create
    std::vector<NetworkAttachment> more_networks;  ///< connect before start; the first network is in the body
    std::vector<FilePut> files;                    ///< put before start
    std::vector<Dependency> depends_on;
    bool has_healthcheck = false;  ///< of the manifest; the image may bring one of its own
    RestartPolicy restart = RestartPolicy::no;
    std::uint32_t restart_max_retries = 0;  ///< of on_failure; 0 = no limit
    Duration stop_grace{10'000};
    std::string image;        ///< as written
    std::string pull_policy;  ///< always | missing | never
    std::vector<PublishedPort> published;
};

struct NetworkPlan {
    std::string name;
    boost::json::object body;  ///< of POST /networks/create, without the name
    bool external = false;     ///< must exist; never created, never removed
};
struct VolumePlan {
    std::string name;
    boost::json::object body;  ///< of POST /volumes/create, without the name
    bool external = false;
};

/// Everything one component replica needs on its node.
struct PlacementPlan {
    std::string
        application_network;  ///< shared by the application's components on this node; also in `networks`
    std::vector<NetworkPlan> networks;
    std::vector<VolumePlan> volumes;        ///< in use by a service
    std::vector<SecretFile> secrets;        ///< must be there before a container is created or started
    std::vector<ContainerPlan> containers;  ///< in start order (see start_order); stop in the reverse
};

/// core.invalid with the manifest and service when a manifest is not canonical compose, two manifests of the
/// component define one thing differently, or depends_on has a cycle. `target` is the value of
/// `icos.eu/target`, `secrets_dir` is absolute.
Result<PlacementPlan> plan_placement(
    const DesiredPlacement& placement,
    std::string_view target,
    std::string_view secrets_dir = kDefaultSecretsDir
);

/// "<hash of placement>/<hash of digest>": where the secrets of one generation of a placement are.
std::string secrets_folder(const PlacementId& placement, std::string_view digest);

/// Services in an order in which each comes after what it depends on; independent ones keep the order of
/// `services`. core.invalid for a cycle (named: "a -> b -> a") or a required dependency that is not in
/// `services`.
struct ServiceNode {
    std::string service;
    std::vector<Dependency> depends_on;
};
Result<std::vector<std::string>> start_order(const std::vector<ServiceNode>& services);

/// Parts longer than 63 characters together are cut and get a hash of the whole, so that names stay unique.
std::string application_network_name(std::string_view app, const AppId& id);
std::string volume_name(const DesiredPlacement& placement, std::string_view volume);

/// Labels of everything this agent owns on the engine: the filter of Engine::containers, networks and events.
std::map<std::string, std::string> owned_labels(std::string_view target);
/// Labels of one placement's containers.
std::map<std::string, std::string> placement_labels(const PlacementId& placement, std::string_view target);

/// `docker.io/library/busybox:1` in parts: "busybox:1" names the same image.
struct ImageReference {
    std::string registry;    ///< "docker.io" when none is written
    std::string repository;  ///< "library/busybox"
    std::string tag;         ///< "latest" when neither tag nor digest is written
    std::string digest;      ///< "sha256:…" or empty
};
Result<ImageReference> parse_image_reference(std::string_view text);
/// X-Registry-Auth value for the image's registry; empty when no credential is for it.
std::string registry_auth(std::string_view image, const std::vector<RegistryCredential>& credentials);

}  // namespace icos::agent
