// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/protocol.hpp"

#include "icos/link/digest.hpp"
#include "json_fields.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <array>

namespace icos::agent {
namespace {

struct StateName {
    PlacementState state;
    std::string_view name;
};
constexpr std::array kStates{
    StateName{PlacementState::pending, "pending"},
    StateName{PlacementState::preparing, "preparing"},
    StateName{PlacementState::starting, "starting"},
    StateName{PlacementState::running, "running"},
    StateName{PlacementState::unhealthy, "unhealthy"},
    StateName{PlacementState::restarting, "restarting"},
    StateName{PlacementState::stopped, "stopped"},
    StateName{PlacementState::completed, "completed"},
    StateName{PlacementState::failed, "failed"},
    StateName{PlacementState::removing, "removing"},
};

}  // namespace

std::string_view to_string(PlacementState state) noexcept {
    for (const StateName& row : kStates) {
        if (row.state == state) return row.name;
    }
    return "pending";
}

std::optional<PlacementState> parse_placement_state(std::string_view text) noexcept {
    for (const StateName& row : kStates) {
        if (row.name == text) return row.state;
    }
    return std::nullopt;
}

}  // namespace icos::agent

namespace icos::link::wire {

template <>
struct Members<agent::Device> {
    template <class V>
    static void fields(V& v) {
        v("name", &agent::Device::name);
        v("path", &agent::Device::path);
    }
};
template <>
struct Members<agent::Facts> {
    template <class V>
    static void fields(V& v) {
        using T = agent::Facts;
        v("hostname", &T::hostname);
        v("architecture", &T::architecture);
        v("os", &T::os);
        v("kernel", &T::kernel);
        v("machine_id", &T::machine_id);
        v("agent_version", &T::agent_version);
        v("cpu_milli", &T::cpu_milli);
        v("memory_bytes", &T::memory_bytes);
        v("engine", &T::engine);
        v("engine_version", &T::engine_version);
        v("engine_problem", &T::engine_problem);
        v("engine_id", &T::engine_id);
        v("disk_problem", &T::disk_problem);
        v("address", &T::address);
        v("labels", &T::labels);
        v("devices", &T::devices);
        v("location", &T::location);
        v("keeps_lease", &T::keeps_lease);
    }
};
template <>
struct Members<agent::Hello> {
    template <class V>
    static void fields(V& v) {
        using T = agent::Hello;
        v("version", &T::version);
        v("node_id", &T::node_id);
        v("boot_id", &T::boot_id);
        v("process_nonce", &T::process_nonce);
        v("accepted_digest", &T::accepted_digest);
        v("observed_digest", &T::observed_digest);
        v("wall_ms", &T::wall_ms);
        v("facts", &T::facts);
    }
};
template <>
struct Members<agent::Welcome> {
    template <class V>
    static void fields(V& v) {
        using T = agent::Welcome;
        v("version", &T::version);
        v("controller_id", &T::controller_id);
        v("controller_name", &T::controller_name);
        v("observed_digest", &T::observed_digest);
        v("wall_ms", &T::wall_ms);
        v("lease_ms", &T::lease_ms);
        v("controllers", &T::controllers);
    }
};
template <>
struct Members<agent::WorkManifest> {
    template <class V>
    static void fields(V& v) {
        v("name", &agent::WorkManifest::name);
        v("compose", &agent::WorkManifest::compose);
    }
};
template <>
struct Members<agent::RegistryCredential> {
    template <class V>
    static void fields(V& v) {
        using T = agent::RegistryCredential;
        v("registry", &T::registry);
        v("username", &T::username);
        v("password", &T::password);
    }
};
template <>
struct Members<agent::Endpoint> {
    template <class V>
    static void fields(V& v) {
        v("placement", &agent::Endpoint::placement);
        v("address", &agent::Endpoint::address);
        v("port", &agent::Endpoint::port);
    }
};
template <>
struct Members<agent::Connection> {
    template <class V>
    static void fields(V& v) {
        using T = agent::Connection;
        v("name", &T::name);
        v("component", &T::component);
        v("service", &T::service);
        v("port", &T::port);
        v("is_first", &T::is_first);
        v("endpoints", &T::endpoints);
        v("problem", &T::problem);
    }
};
template <>
struct Members<agent::DesiredPlacement> {
    template <class V>
    static void fields(V& v) {
        using T = agent::DesiredPlacement;
        v("placement", &T::placement);
        v("app_id", &T::app_id);
        v("project", &T::project);
        v("app", &T::app);
        v("component", &T::component);
        v("replica", &T::replica);
        v("generation", &T::generation);
        v("digest", &T::digest);
        v("run", &T::run);
        v("manifests", &T::manifests);
        v("environment", &T::environment);
        v("aliases", &T::aliases);
        v("pull", &T::pull);
        v("credentials", &T::credentials);
        v("credentials_digest", &T::credentials_digest);
        v("health_timeout_ms", &T::health_timeout_ms);
        v("exclusive", &T::exclusive);
        v("connections", &T::connections);
        v("settings_digest", &T::settings_digest);
        v("update_order", &T::update_order);
        v("window", &T::window);
    }
};
template <>
struct Members<agent::Desired> {
    template <class V>
    static void fields(V& v) {
        using T = agent::Desired;
        v("base", &T::base);
        v("digest", &T::digest);
        v("version", &T::version);
        v("upsert", &T::upsert);
        v("remove", &T::remove);
    }
};
template <>
struct Members<agent::Accepted> {
    template <class V>
    static void fields(V& v) {
        v("digest", &agent::Accepted::digest);
        v("problem", &agent::Accepted::problem);
    }
};
template <>
struct Members<agent::ObservedService> {
    template <class V>
    static void fields(V& v) {
        using T = agent::ObservedService;
        v("service", &T::service);
        v("container", &T::container);
        v("name", &T::name);
        v("state", &T::state);
        v("health", &T::health);
        v("exit_code", &T::exit_code);
        v("restarts", &T::restarts);
        v("started_ms", &T::started_ms);
        v("ip", &T::ip);
        v("ports", &T::ports);
        v("image", &T::image);
        v("image_id", &T::image_id);
    }
};
template <>
struct Members<agent::ObservedPlacement> {
    template <class V>
    static void fields(V& v) {
        using T = agent::ObservedPlacement;
        v("placement", &T::placement);
        v("app", &T::app);
        v("component", &T::component);
        v("generation", &T::generation);
        v("digest", &T::digest);
        v("wanted_digest", &T::wanted_digest);
        v("state", &T::state);
        v("reason", &T::reason);
        v("reason_code", &T::reason_code);
        v("services", &T::services);
        v("progress", &T::progress);
    }
};
template <>
struct Members<agent::Observed> {
    template <class V>
    static void fields(V& v) {
        using T = agent::Observed;
        v("base", &T::base);
        v("digest", &T::digest);
        v("upsert", &T::upsert);
        v("removed", &T::removed);
    }
};
template <>
struct Members<agent::FactsChanged> {
    template <class V>
    static void fields(V& v) {
        v("facts", &agent::FactsChanged::facts);
    }
};
template <>
struct Members<agent::Current> {
    template <class V>
    static void fields(V& v) {
        v("digest", &agent::Current::digest);
    }
};
template <>
struct Members<agent::Stopping> {
    template <class V>
    static void fields(V&) {}
};
template <>
struct Members<agent::StoppingNoted> {
    template <class V>
    static void fields(V&) {}
};
template <>
struct Members<agent::ClockChanged> {
    template <class V>
    static void fields(V& v) {
        v("wall_ms", &agent::ClockChanged::wall_ms);
    }
};
template <>
struct Members<agent::CertificateRenewed> {
    template <class V>
    static void fields(V& v) {
        v("certificate", &agent::CertificateRenewed::certificate);
    }
};
template <>
struct Members<agent::Resend> {
    template <class V>
    static void fields(V& v) {
        v("what", &agent::Resend::what);
    }
};
template <>
struct Members<agent::JoinRequest> {
    template <class V>
    static void fields(V& v) {
        using T = agent::JoinRequest;
        v("token", &T::token);
        v("name", &T::name);
        v("facts", &T::facts);
    }
};
template <>
struct Members<agent::JoinAnswer> {
    template <class V>
    static void fields(V& v) {
        using T = agent::JoinAnswer;
        v("node_id", &T::node_id);
        v("name", &T::name);
        v("cluster", &T::cluster);
        v("certificate", &T::certificate);
        v("ca", &T::ca);
        v("controller_id", &T::controller_id);
        v("controller_name", &T::controller_name);
        v("controllers", &T::controllers);
        v("labels", &T::labels);
        v("devices", &T::devices);
    }
};

}  // namespace icos::link::wire

namespace icos::agent {
namespace {

namespace json = boost::json;
using link::wire::to_object;

/// Deep enough for every message; manifests travel as text and have limits of their own.
constexpr std::size_t kMaxDepth = 16;

json::value parse(std::string_view text, boost::system::error_code& ec) {
    json::parse_options options;
    options.max_depth = kMaxDepth;
    return json::parse(json::string_view(text.data(), text.size()), ec, {}, options);
}

template <class T>
std::string encode_as(const char* type, const T& message) {
    json::object out;
    out.emplace("type", type);
    for (auto& member : to_object(message)) out.emplace(member.key(), std::move(member.value()));
    return json::serialize(out);
}

}  // namespace

std::string encode(const Hello& m) {
    return encode_as("hello", m);
}
std::string encode(const Welcome& m) {
    return encode_as("welcome", m);
}
std::string encode(const Desired& m) {
    return encode_as("desired", m);
}
std::string encode(const Accepted& m) {
    return encode_as("accepted", m);
}
std::string encode(const Observed& m) {
    return encode_as("observed", m);
}
std::string encode(const FactsChanged& m) {
    return encode_as("facts", m);
}
std::string encode(const ClockChanged& m) {
    return encode_as("clock", m);
}
std::string encode(const CertificateRenewed& m) {
    return encode_as("certificate", m);
}
std::string encode(const Resend& m) {
    return encode_as("resend", m);
}
std::string encode(const Current& m) {
    return encode_as("current", m);
}
std::string encode(const Stopping& m) {
    return encode_as("stopping", m);
}
std::string encode(const StoppingNoted& m) {
    return encode_as("stopping_noted", m);
}
std::string encode(const JoinRequest& m) {
    return encode_as("join", m);
}
std::string encode(const JoinAnswer& m) {
    return encode_as("joined", m);
}
std::string encode_placement(const DesiredPlacement& placement) {
    return json::serialize(to_object(placement));
}

std::string message_type(std::string_view text) {
    boost::system::error_code ec;
    const json::value value = parse(text, ec);
    const json::object* object = ec ? nullptr : value.if_object();
    const json::value* type = object == nullptr ? nullptr : object->if_contains("type");
    if (type == nullptr || !type->is_string()) return {};
    return {type->get_string().data(), type->get_string().size()};
}

template <class T>
Result<T> decode(std::string_view text) {
    boost::system::error_code ec;
    const json::value value = parse(text, ec);
    if (ec) return Error{link::errc::protocol, "not JSON: " + ec.message()};
    T out{};
    link::wire::Failure failure;
    if (!value.is_object()) return Error{link::errc::protocol, "expected an object"};
    link::wire::from_value(value, out, std::string(), failure);
    if (failure.error) return *failure.error;
    return out;
}
template Result<Hello> decode<Hello>(std::string_view);
template Result<Welcome> decode<Welcome>(std::string_view);
template Result<Desired> decode<Desired>(std::string_view);
template Result<Accepted> decode<Accepted>(std::string_view);
template Result<Observed> decode<Observed>(std::string_view);
template Result<FactsChanged> decode<FactsChanged>(std::string_view);
template Result<ClockChanged> decode<ClockChanged>(std::string_view);
template Result<CertificateRenewed> decode<CertificateRenewed>(std::string_view);
template Result<Resend> decode<Resend>(std::string_view);
template Result<Current> decode<Current>(std::string_view);
template Result<JoinRequest> decode<JoinRequest>(std::string_view);
template Result<JoinAnswer> decode<JoinAnswer>(std::string_view);

Result<DesiredPlacement> decode_placement(std::string_view text) {
    return decode<DesiredPlacement>(text);
}

std::string desired_digest(const std::map<PlacementId, DesiredPlacement>& set) {
    std::string lines;
    for (const auto& [id, placement] : set) {
        lines += id.value + ' ' + placement.digest + (placement.run ? " 1 " : " 0 ") +
                 std::to_string(placement.generation);
        if (!placement.settings_digest.empty() || !placement.credentials_digest.empty())
            lines += ' ' + placement.settings_digest + ' ' + placement.credentials_digest;
        lines += '\n';
    }
    return link::sha256_hex(lines);
}

std::string settings_digest(const std::vector<Connection>& connections) {
    if (connections.empty()) return {};
    return link::sha256_hex(json::serialize(link::wire::to_value(connections)));
}

std::string observed_digest(const std::map<PlacementId, ObservedPlacement>& set) {
    json::array list;
    list.reserve(set.size());
    for (const auto& [id, placement] : set) {
        json::object object = to_object(placement);
        object.erase("progress");
        list.push_back(std::move(object));
    }
    return link::sha256_hex(json::serialize(list));
}

}  // namespace icos::agent
