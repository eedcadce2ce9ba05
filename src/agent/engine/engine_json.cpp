// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/engine_json.hpp"

#include "agent/engine/log_lines.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <limits>

namespace icos::agent {
namespace {

const boost::json::value* find(const boost::json::value& value, std::string_view pointer) {
    boost::system::error_code ec;
    return value.find_pointer(pointer, ec);
}

struct ApiVersion {
    int major = 0;
    int minor = 0;
    auto operator<=>(const ApiVersion&) const = default;
};

std::optional<ApiVersion> parse_version(std::string_view text) {
    ApiVersion out;
    const char* end = text.data() + text.size();
    const auto [dot, major_ec] = std::from_chars(text.data(), end, out.major);
    if (major_ec != std::errc{} || dot == end || *dot != '.') return std::nullopt;
    const auto [rest, minor_ec] = std::from_chars(dot + 1, end, out.minor);
    if (minor_ec != std::errc{} || rest != end) return std::nullopt;
    return out;
}

constexpr ApiVersion kOldest{1, 40};
constexpr ApiVersion kNewest{1, 43};

/// Podman has words of its own for some states.
std::string normal_state(std::string_view word) {
    if (word == "configured" || word == "initialized") return "created";
    if (word == "stopped") return "exited";
    if (word == "stopping") return "running";
    return std::string(word);
}

std::vector<std::string> port_texts(const boost::json::object* ports) {
    std::vector<std::string> out;
    if (ports == nullptr) return out;
    for (const auto& port : *ports) {
        const auto* bindings = port.value().if_array();
        if (bindings == nullptr) continue;
        for (const boost::json::value& binding : *bindings) {
            const std::string ip(text_at(binding, "/HostIp"));
            const std::string host(text_at(binding, "/HostPort"));
            const bool is_v6 = ip.find(':') != std::string::npos;
            out.push_back((is_v6 ? "[" + ip + "]" : ip) + ":" + host + "->" + std::string(port.key()));
        }
    }
    return out;
}

}  // namespace

std::string_view text_at(const boost::json::value& value, std::string_view pointer) {
    const auto* found = find(value, pointer);
    const auto* text = found == nullptr ? nullptr : found->if_string();
    return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

std::int64_t integer_at(const boost::json::value& value, std::string_view pointer) {
    const auto* found = find(value, pointer);
    if (found == nullptr || !found->is_number()) return 0;
    boost::system::error_code ec;
    const auto number = found->to_number<std::int64_t>(ec);
    return ec ? 0 : number;
}

bool flag_at(const boost::json::value& value, std::string_view pointer) {
    const auto* found = find(value, pointer);
    return found != nullptr && found->is_bool() && found->get_bool();
}

const boost::json::object* object_at(const boost::json::value& value, std::string_view pointer) {
    const auto* found = find(value, pointer);
    return found == nullptr ? nullptr : found->if_object();
}

const boost::json::array* array_at(const boost::json::value& value, std::string_view pointer) {
    const auto* found = find(value, pointer);
    return found == nullptr ? nullptr : found->if_array();
}

LabelMap label_map(const boost::json::object* labels) {
    LabelMap out;
    if (labels == nullptr) return out;
    for (const auto& label : *labels) {
        const auto* text = label.value().if_string();
        if (text != nullptr) out.emplace(std::string(label.key()), std::string(*text));
    }
    return out;
}

ContainerState container_state(const boost::json::value& inspected) {
    ContainerState out;
    out.id = text_at(inspected, "/Id");
    std::string_view name = text_at(inspected, "/Name");
    if (name.starts_with('/')) name.remove_prefix(1);
    out.name = name;
    out.image = text_at(inspected, "/Config/Image");
    out.image_id = text_at(inspected, "/Image");
    out.state = normal_state(text_at(inspected, "/State/Status"));
    out.health = text_at(inspected, "/State/Health/Status");
    if (out.health == "none") out.health.clear();
    if (out.state == "exited" || out.state == "dead" || out.state == "restarting") {
        out.exit_code = static_cast<int>(integer_at(inspected, "/State/ExitCode"));
    }
    const std::int64_t restarts = integer_at(inspected, "/RestartCount");
    if (restarts > 0 && restarts <= std::numeric_limits<std::uint32_t>::max()) {
        out.restarts = static_cast<std::uint32_t>(restarts);
    }
    out.started_ms = parse_engine_time(text_at(inspected, "/State/StartedAt")).value_or(0);
    out.finished_ms = parse_engine_time(text_at(inspected, "/State/FinishedAt")).value_or(0);
    out.error = text_at(inspected, "/State/Error");
    out.oom_killed = flag_at(inspected, "/State/OOMKilled");
    out.labels = label_map(object_at(inspected, "/Config/Labels"));
    if (const auto* networks = object_at(inspected, "/NetworkSettings/Networks")) {
        for (const auto& network : *networks) {
            out.network_ips.emplace(
                std::string(network.key()), std::string(text_at(network.value(), "/IPAddress"))
            );
        }
    }
    out.ports = port_texts(object_at(inspected, "/NetworkSettings/Ports"));
    return out;
}

ImageState image_state(const boost::json::value& inspected) {
    ImageState out;
    out.id = text_at(inspected, "/Id");
    out.architecture = normal_architecture(text_at(inspected, "/Architecture"));
    if (const auto* digests = array_at(inspected, "/RepoDigests")) {
        for (const boost::json::value& digest : *digests) {
            if (const auto* text = digest.if_string()) out.repo_digests.emplace_back(*text);
        }
    }
    return out;
}

EngineEvent engine_event(const boost::json::value& event) {
    EngineEvent out;
    out.type = text_at(event, "/Type");
    out.action = text_at(event, "/Action");
    if (out.action.empty()) out.action = text_at(event, "/status");
    out.id = text_at(event, "/Actor/ID");
    if (out.id.empty()) out.id = text_at(event, "/id");
    out.attributes = label_map(object_at(event, "/Actor/Attributes"));
    constexpr std::int64_t kNanosPerMilli = 1'000'000;
    out.at_ms = integer_at(event, "/timeNano") / kNanosPerMilli;
    if (out.at_ms == 0) out.at_ms = integer_at(event, "/time") * 1000;
    return out;
}

std::string normal_architecture(std::string_view word) {
    if (word == "amd64" || word == "x86-64") return "x86_64";
    if (word == "aarch64") return "arm64";
    return std::string(word);
}

std::optional<std::string> negotiate_api(std::string_view newest, std::string_view oldest) {
    const auto theirs = parse_version(newest);
    if (!theirs || *theirs < kOldest) return std::nullopt;
    ApiVersion chosen = std::min(*theirs, kNewest);
    if (const auto least = parse_version(oldest)) chosen = std::max(chosen, *least);
    return std::to_string(chosen.major) + "." + std::to_string(chosen.minor);
}

std::string label_filter(const LabelMap& labels, std::string_view type) {
    boost::json::array list;
    for (const auto& [key, value] : labels) list.emplace_back(value.empty() ? key : key + "=" + value);
    boost::json::object filters;
    filters["label"] = std::move(list);
    if (!type.empty()) filters["type"] = boost::json::array{type};
    return boost::json::serialize(filters);
}

}  // namespace icos::agent
