// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"
#include "icos/core/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Controller <-> agent wire types (control channel of the link: one JSON object per message, member `type`
/// names the struct in snake_case: hello, welcome, desired, current, accepted, observed, facts, resend,
/// clock, certificate, stopping, stopping_noted). Unknown members are ignored, absent ones take the defaults
/// below, so that versions N and N-2 interoperate; `encode`/`decode` are in src/link/protocol.cpp. Memory in
/// bytes, cpu in milli-cores, times in milliseconds since the epoch.
///
/// Conversation. Agent: hello{facts, accepted_digest, observed_digest}. Controller: welcome, then
/// desired{full} unless its digest equals accepted_digest. Agent: accepted{digest} once the set is durable on
/// the node; observed{full} unless the controller's last known observed digest (in welcome) equals its own.
/// Later: desired and observed deltas, each naming the digest they apply to (`base`); a side that does not
/// have that base asks for the whole set (`resend`). Where nothing is to be sent because the node has the
/// set, the controller says so (`current`). Before the controller refuses a link that
/// was upgraded already, it says {"type": "refused", "code", "detail", "hint"}. An agent that stops while
/// containers go on says `stopping` and waits for the answer `stopping_noted`.
///
/// Lease. A node holds it for `lease_ms` from the moment it sent a ping (or its hello) that was answered, by
/// its boot clock; the controller gives up what is `exclusive` there 10 s after the same time without a
/// frame, by its own.
namespace icos::agent {

inline constexpr int kProtocolVersion = 1;

struct Device {
    std::string name;  ///< resource name as descriptors ask for it: "squat.ai/video", "nvidia.com/gpu"
    std::string path;  ///< host path ("/dev/video0") or empty
    auto operator<=>(const Device&) const = default;
};

/// What a node is. Labels, devices and cluster start from the join token; later `node set|label` wins.
struct Facts {
    std::string hostname;
    std::string architecture;  ///< "x86_64" or "arm64" (normalised)
    std::string os;            ///< "Debian GNU/Linux 12 (bookworm)"
    std::string kernel;
    std::string machine_id;  ///< hash of /etc/machine-id, to recognise cloned images
    std::string agent_version;
    std::uint32_t cpu_milli = 0;
    std::uint64_t memory_bytes = 0;
    std::string engine;  ///< "docker", "podman" or "" when none answers
    std::string engine_version;
    std::string engine_problem;  ///< why `engine` is empty, or what is wrong with it, with what to do
    std::string engine_id;       ///< the engine's own identity: two nodes on one engine are told by it
    std::string disk_problem;    ///< which of the node's disks is nearly full, with what to do; empty: none
    std::string address;         ///< address other nodes reach this node at (source address of the link)
    std::map<std::string, std::string> labels;  ///< from /etc/machine-labels and join flags
    std::vector<Device> devices;                ///< from /etc/machine-devices, the token and join flags
    std::string location;                       ///< from /etc/machine-location: "lat,lon" or free text
    bool keeps_lease = false;                   ///< the agent stops what is `exclusive` when its lease ends
    auto operator<=>(const Facts&) const = default;
};

struct Hello {
    int version = kProtocolVersion;
    std::string node_id;
    std::string boot_id;        ///< /proc/sys/kernel/random/boot_id
    std::string process_nonce;  ///< random per agent process
    std::string accepted_digest;
    std::string observed_digest;
    std::int64_t wall_ms = 0;
    Facts facts;
};

struct Welcome {
    int version = kProtocolVersion;
    std::string controller_id;
    std::string controller_name;
    std::string observed_digest;  ///< last observed set the controller has of this node
    std::int64_t wall_ms = 0;     ///< controller's clock; the agent keeps it as its last known time
    std::uint32_t lease_ms = 30'000;
    std::vector<std::string> controllers;  ///< addresses the agent may dial, first = this one
};

/// One manifest of a component: canonical compose (include/icos/descriptor/compose.hpp) as JSON text.
struct WorkManifest {
    std::string name;
    std::string compose;
    auto operator<=>(const WorkManifest&) const = default;
};

struct RegistryCredential {
    std::string registry;
    std::string username;
    std::string password;  ///< never logged, never in an observed set
    bool operator==(const RegistryCredential&) const = default;
};

/// Where a copy of a provider takes connections.
struct Endpoint {
    PlacementId placement;
    std::string address;     ///< of its node; empty: it is on the consumer's own node
    std::uint16_t port = 0;  ///< on its node; in its container where the address is empty
    bool operator==(const Endpoint&) const = default;
};

/// A port of a service that the component is joined to by communication. The agent listens for it on the
/// gateway of the application's network and injects ICOS_SVC_<name>_HOST and ICOS_SVC_<name>_PORT_<port>, for
/// the first port of a service also ICOS_SVC_<name>_PORT.
struct Connection {
    std::string name;       ///< "DB"
    std::string component;  ///< the provider
    std::string service;
    std::uint16_t port = 0;  ///< in the provider's container
    bool is_first = false;
    std::vector<Endpoint> endpoints;  ///< taken in turn; empty while there is none
    std::string problem;              ///< why copies on other nodes cannot be reached
    bool operator==(const Connection&) const = default;
};

/// One component replica that a node shall run. Identity is `placement`; `digest` says which content.
struct DesiredPlacement {
    PlacementId placement;
    AppId app_id;
    std::string project = "default";
    std::string app;
    std::string component;
    std::uint32_t replica = 0;
    std::uint64_t generation = 1;
    std::string digest;  ///< hash over manifests and environment as the controller serialised them; compared,
                         ///< never recomputed
    bool run = true;     ///< false: keep containers, volumes and networks, stopped (`icos stop`)
    std::vector<WorkManifest> manifests;
    std::map<std::string, std::string>
        environment;  ///< added to every service: ICOS_APP_INSTANCE, ICOS_APP_COMPONENT …
    std::map<std::string, std::vector<std::string>>
        aliases;                   ///< compose service -> names on the application network
    std::string pull = "missing";  ///< "always" | "missing" | "never"
    std::vector<RegistryCredential> credentials;
    /// Keyed hash of `credentials`, made by the controller; empty without any. Part of desired_digest, so
    /// that a changed password reaches the node, and not of `digest`: it restarts nothing.
    std::string credentials_digest;
    std::uint32_t health_timeout_ms = 120'000;
    /// At most one copy may run anywhere: it is started only while the lease holds and stopped when it ends;
    /// the agent restarts it instead of the engine.
    bool exclusive = false;
    /// Of an update: "start-first" (where fixed host ports allow) or "stop-first"; empty: start-first.
    std::string update_order;
    /// When an update may begin, "02:00-04:00" in UTC; empty: at any time.
    std::string window;
    std::vector<Connection> connections;
    std::string settings_digest;  ///< of what changes without a new `digest`: the connections; empty: nothing
    bool operator==(const DesiredPlacement&) const = default;
};

/// The desired set of one target, or a step towards it.
struct Desired {
    std::string base;           ///< digest of the set this applies to; empty = `upsert` is the whole set
    std::string digest;         ///< digest of the resulting set
    std::uint64_t version = 0;  ///< store version it was made from, for logs
    std::vector<DesiredPlacement> upsert;
    std::vector<PlacementId> remove;
};
/// Digest of a desired set: SHA-256 hex over the sorted lines "<placement> <digest> <run 0|1>
/// <generation>[ <settings_digest> <credentials_digest>]\n"; the last two where one of them is not empty.
std::string desired_digest(const std::map<PlacementId, DesiredPlacement>& set);

struct Accepted {
    std::string digest;
    std::string problem;  ///< not empty: the set was not taken (disk full …); the old one stays
};

enum class PlacementState {
    pending,    ///< accepted, nothing done yet
    preparing,  ///< pulling images, creating networks and volumes
    starting,   ///< containers created or started, not yet healthy
    running,  ///< every service runs (and is healthy where it has a health check; one-shot services exited 0)
    unhealthy,   ///< runs, but a health check fails
    restarting,  ///< a container exits again and again; the engine restarts it
    stopped,     ///< as desired (`run` = false)
    completed,   ///< every service exited with 0 and its restart policy lets it stay so
    failed,      ///< will not get further by itself soon; `reason` says why and what would help
    removing,
};
std::string_view to_string(PlacementState state) noexcept;
std::optional<PlacementState> parse_placement_state(std::string_view text) noexcept;

struct ObservedService {
    std::string service;    ///< "<service>" or "<service>.<n>" with deploy.replicas
    std::string container;  ///< id
    std::string name;       ///< container name
    std::string state;      ///< engine's word: created, running, paused, restarting, exited, dead
    std::string health;     ///< "", starting, healthy, unhealthy
    std::optional<int> exit_code;
    std::uint32_t restarts = 0;
    std::int64_t started_ms = 0;
    std::string ip;                  ///< on the application network
    std::vector<std::string> ports;  ///< "0.0.0.0:8080->80/tcp"
    std::string image;
    std::string image_id;
    auto operator<=>(const ObservedService&) const = default;
};

struct ObservedPlacement {
    PlacementId placement;
    std::string app;  ///< from the labels, so that orphans can be named
    std::string component;
    std::uint64_t generation = 0;  ///< of what runs
    std::string digest;            ///< of what runs; empty when nothing of it does
    std::string wanted_digest;     ///< what the node works towards when it differs from `digest`
    PlacementState state = PlacementState::pending;
    std::string reason;       ///< for people; empty when all is well
    std::string reason_code;  ///< stable: "image.not_found", "container.exits", "port.taken",
                              ///< "image.wrong_architecture" …
    std::vector<ObservedService> services;
    std::string progress;  ///< "pulling demo/web:1 38 % (4.1 of 10.8 MB)"; volatile, not part of the digest
    bool operator==(const ObservedPlacement&) const = default;
};

struct Observed {
    std::string base;  ///< digest of the set this applies to; empty = `upsert` is the whole set
    std::string digest;
    std::vector<ObservedPlacement> upsert;
    std::vector<PlacementId> removed;  ///< nothing of these exists on the node any more
};
/// SHA-256 hex over the canonical JSON of the set, sorted by placement, without `progress`.
std::string observed_digest(const std::map<PlacementId, ObservedPlacement>& set);

struct FactsChanged {
    Facts facts;
};
/// The set that the node has is the one that it shall have.
struct Current {
    std::string digest;  ///< the first kShortDigest characters of it: every reconnect costs these bytes
};
inline constexpr std::size_t kShortDigest = 16;
/// The agent is about to stop, and cannot stop what is `exclusive` when its lease ends.
struct Stopping {};
/// The controller wrote that down.
struct StoppingNoted {};
/// Agent -> controller: its wall clock was set since the hello.
struct ClockChanged {
    std::int64_t wall_ms = 0;
};
/// Controller -> agent: the node's certificate, made anew for the same key. Lost ones are sent again at the
/// next hello.
struct CertificateRenewed {
    std::string certificate;  ///< PEM
};
/// Sent by either side that cannot apply a delta. `what` is "desired" or "observed".
struct Resend {
    std::string what;
};

/// Join: POST /agent/v1/join on an ALPN `icos-agent/1` connection whose client certificate is self-signed
/// with the node's new key. Body JoinRequest, answer JoinAnswer; errors node.token_spent, node.token_expired,
/// node.token_unknown, node.name_taken, node.key_known.
struct JoinRequest {
    std::string token;
    std::string name;  ///< wanted node name; default the host name
    Facts facts;
};
struct JoinAnswer {
    std::string node_id;
    std::string name;
    std::string cluster;
    std::string certificate;  ///< PEM, for the key of the connection
    std::string ca;           ///< PEM
    std::string controller_id;
    std::string controller_name;
    std::vector<std::string> controllers;
    std::map<std::string, std::string> labels;  ///< as registered
    std::vector<Device> devices;
};

/// Channel kinds that the controller opens towards the agent, with their arguments.
/// "logs": {"placement","service","follow","since_ms","tail","timestamps"}; messages agent->controller are
/// LogLine batches, JSON arrays of {"service","stream":"stdout|stderr","ts","line"}. "exec":
/// {"placement","service","command":[…],"tty","interactive"}; messages start with one byte: 0 stdin / stdout
/// bytes (none after it: the end of the input), 1 stderr bytes, 2 JSON {"exit_code":n} or
/// {"error":{code,detail,hint}} (last), 3 JSON {"resize":[rows,columns]}.

using Message = std::string;
std::string encode(const Hello&);
std::string encode(const Welcome&);
std::string encode(const Desired&);
std::string encode(const Accepted&);
std::string encode(const Observed&);
std::string encode(const FactsChanged&);
std::string encode(const ClockChanged&);
std::string encode(const CertificateRenewed&);
std::string encode(const Resend&);
std::string encode(const Current&);
std::string encode(const Stopping&);
std::string encode(const StoppingNoted&);
std::string encode(const JoinRequest&);
std::string encode(const JoinAnswer&);
/// Member `type` of a control message; empty if it is not a JSON object with one.
std::string message_type(std::string_view json);
/// link.protocol with the member's path when the text does not fit. T is one of the structs above.
template <class T>
Result<T> decode(std::string_view json);
/// JSON of one placement (members as in Desired.upsert), for the agent's accepted log.
std::string encode_placement(const DesiredPlacement&);
/// SHA-256 hex over the canonical JSON of the connections; empty for none.
std::string settings_digest(const std::vector<Connection>& connections);
Result<DesiredPlacement> decode_placement(std::string_view json);

}  // namespace icos::agent
