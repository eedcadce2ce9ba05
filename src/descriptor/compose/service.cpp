// SPDX-License-Identifier: Apache-2.0
#include "compose/service.hpp"

#include "compose/shell_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace icos::descriptor::compose {
namespace {

/// The key as it is in the canonical form: the last part of the path.
std::string_view key_of(const Field& field) {
    const std::string_view path = field.path();
    return path.substr(path.rfind('.') + 1);
}

void read_text(const Field& field, Service& service) {
    if (auto value = text(field)) service.out[key_of(field)] = std::move(*value);
}

void read_flag(const Field& field, Service& service) {
    if (const auto value = flag(field)) service.out[key_of(field)] = *value;
}

void read_list(const Field& field, Service& service) {
    if (auto list = texts(field, false)) service.out[key_of(field)] = std::move(*list);
}

void read_list_or_single(const Field& field, Service& service) {
    if (auto list = texts(field, true)) service.out[key_of(field)] = std::move(*list);
}

void read_words(const Field& field, Service& service) {
    if (!field.node().is_scalar()) return read_list(field, service);
    const auto words = shell_words(field.node().text);
    if (!words) return field.fail("C002", fmt::format("\"{}\": a quote is not closed", field.node().text));
    boost::json::array list;
    for (const std::string& word : *words) list.emplace_back(word);
    service.out[key_of(field)] = std::move(list);
}

void read_image(const Field& field, Service& service) {
    const auto image = text(field);
    if (!image) return;
    if (image->empty() || image->find_first_of(" \t\n") != std::string::npos)
        return field.fail("C002", fmt::format("\"{}\" is not an image", *image));
    service.out["image"] = *image;
}

void read_grace_period(const Field& field, Service& service) {
    if (const auto ns = nanoseconds(field)) service.out["stop_grace_period_ns"] = *ns;
}

void read_shm_size(const Field& field, Service& service) {
    if (const auto value = bytes(field)) service.out["shm_size"] = *value;
}

/// Counts that the engine takes as they are, with the most that it takes.
struct Count {
    std::string_view key;
    std::uint64_t most;
};
constexpr std::array<Count, 4> kCounts{
    {{"cpu_shares", 262'144}, {"cpu_quota", INT64_MAX}, {"cpu_period", 1'000'000}, {"mem_swappiness", 100}}
};

void read_count(const Field& field, Service& service) {
    const auto key = std::find_if(kCounts.begin(), kCounts.end(), [&](const Count& count) {
        return count.key == key_of(field);
    });
    if (const auto value = whole(field, 0, key->most)) service.out[key->key] = *value;
}

/// -1: as much swap as the node has.
void read_memory_with_swap(const Field& field, Service& service) {
    if (field.node().is_scalar() && field.node().text == "-1") {
        service.out["memswap_limit"] = -1;
    } else if (const auto value = bytes(field)) {
        service.out["memswap_limit"] = *value;
    }
}

void read_oom_score(const Field& field, Service& service) {
    constexpr std::int64_t kMost = 1000;
    const auto written = text(field);
    if (!written) return;
    const bool negative = written->starts_with('-');
    std::uint64_t value = 0;
    if (!parse_uint(std::string_view(*written).substr(negative ? 1 : 0), value) || value > kMost) {
        return field.fail("C002", fmt::format("\"{}\" is not a number from -1000 to 1000", *written));
    }
    const auto score = static_cast<std::int64_t>(value);
    service.out["oom_score_adj"] = negative ? -score : score;
}

void read_pull_policy(const Field& field, Service& service) {
    constexpr std::array<std::string_view, 4> kWords{"always", "missing", "never", "if_not_present"};
    if (const auto word = field.one_of(kWords, "C002"))
        service.out["pull_policy"] = *word == "if_not_present" ? "missing" : *word;
}

void read_namespace(const Field& field, Service& service) {
    constexpr std::array<std::string_view, 1> kHost{"host"};
    constexpr std::array<std::string_view, 4> kIpc{"host", "private", "shareable", "none"};
    const bool ipc = key_of(field) == "ipc";
    const auto word = field.one_of(
        ipc ? std::span<const std::string_view>(kIpc) : std::span<const std::string_view>(kHost), "C002"
    );
    if (word) service.out[key_of(field)] = *word;
}

void refuse_env_file(const Field& field, Service&) {
    field.fail(
        "C004", "the file is not part of the descriptor", {.hint = "write its variables under environment"}
    );
}

void refuse_build(const Field& field, Service&) {
    field.fail(
        "C004", "images are built elsewhere", {.hint = "build and push the image, then name it under image"}
    );
}

struct Key {
    std::string_view name;
    void (*read)(const Field&, Service&);
};

constexpr std::array kKeys = {
    Key{"image", read_image},
    Key{"command", read_words},
    Key{"entrypoint", read_words},
    Key{"environment", read_environment},
    Key{"env_file", refuse_env_file},
    Key{"build", refuse_build},
    Key{"ports", read_ports},
    Key{"expose", read_expose},
    Key{"volumes", read_volumes},
    Key{"tmpfs", read_tmpfs},
    Key{"networks", read_networks},
    Key{"network_mode", read_network_mode},
    Key{"depends_on", read_depends_on},
    Key{"healthcheck", read_healthcheck},
    Key{"restart", read_restart},
    Key{"deploy", read_deploy},
    Key{"scale", read_limit},
    Key{"cpus", read_limit},
    Key{"mem_limit", read_limit},
    Key{"mem_reservation", read_limit},
    Key{"pids_limit", read_limit},
    Key{"cpu_shares", read_count},
    Key{"cpu_quota", read_count},
    Key{"cpu_period", read_count},
    Key{"cpuset", read_text},
    Key{"memswap_limit", read_memory_with_swap},
    Key{"mem_swappiness", read_count},
    Key{"oom_kill_disable", read_flag},
    Key{"oom_score_adj", read_oom_score},
    Key{"cgroup_parent", read_text},
    Key{"device_cgroup_rules", read_list},
    Key{"labels", read_labels},
    Key{"user", read_text},
    Key{"working_dir", read_text},
    Key{"hostname", read_text},
    Key{"domainname", read_text},
    Key{"extra_hosts", read_extra_hosts},
    Key{"dns", read_list_or_single},
    Key{"dns_search", read_list_or_single},
    Key{"dns_opt", read_list},
    Key{"cap_add", read_list},
    Key{"cap_drop", read_list},
    Key{"privileged", read_flag},
    Key{"read_only", read_flag},
    Key{"security_opt", read_list},
    Key{"devices", read_devices},
    Key{"sysctls", read_sysctls},
    Key{"ulimits", read_ulimits},
    Key{"shm_size", read_shm_size},
    Key{"stop_signal", read_text},
    Key{"stop_grace_period", read_grace_period},
    Key{"init", read_flag},
    Key{"tty", read_flag},
    Key{"stdin_open", read_flag},
    Key{"group_add", read_list},
    Key{"pid", read_namespace},
    Key{"ipc", read_namespace},
    Key{"userns_mode", read_namespace},
    Key{"logging", read_logging},
    Key{"configs", read_configs},
    Key{"secrets", read_secrets},
    Key{"pull_policy", read_pull_policy},
};

std::vector<std::string_view> key_names() {
    std::vector<std::string_view> names;
    for (const Key& key : kKeys) names.push_back(key.name);
    return names;
}

}  // namespace

Service read_service(const Field& field, const std::string& name) {
    Service service(name);
    const bool usable = field.node().is_null() || field.expect_map("C002");
    supported_keys(field, key_names());
    for (const Member& member : field.node().members) {
        const auto key =
            std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& k) { return k.name == member.key.text; });
        if (key == kKeys.end() || member.value.is_null()) continue;
        key->read(
            Field(member.value, child(field.path(), member.key.text), member.key.text, field.report()),
            service
        );
    }
    const Member* image = field.node().member("image");
    if (usable && (image == nullptr || image->value.is_null()) && field.node().find("build") == nullptr) {
        const Position at = image == nullptr ? field.node().first_key() : image->key.at;
        field.report().add(
            "C008",
            at,
            field.path(),
            fmt::format("{}: the service has no image", name),
            {.hint = "add image: NAME:TAG"}
        );
    }
    if (const Member* mode = field.node().member("network_mode");
        mode != nullptr && service.out.contains("networks")) {
        field.report().add(
            "C002", mode->key.at, child(field.path(), "network_mode"), "network_mode: excludes networks"
        );
    }
    if (!service.out.contains("network_mode") &&
        (!service.out.contains("networks") || service.out["networks"].as_object().empty())) {
        service.out["networks"] = boost::json::object{{"default", boost::json::object()}};
    }
    return service;
}

}  // namespace icos::descriptor::compose
