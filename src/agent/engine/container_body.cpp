// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/container_body.hpp"

#include <boost/json/array.hpp>

#include <limits>

namespace icos::agent {
namespace {

using boost::json::array;
using boost::json::object;

void copy_text(const ComposeReader& from, std::string_view key, object& to, std::string_view member) {
    if (const auto value = from.text(key)) to[member] = *value;
}
void copy_integer(const ComposeReader& from, std::string_view key, object& to, std::string_view member) {
    if (const auto value = from.integer(key)) to[member] = *value;
}
void copy_flag(const ComposeReader& from, std::string_view key, object& to, std::string_view member) {
    if (const auto value = from.flag(key)) to[member] = *value;
}
void copy_list(const ComposeReader& from, std::string_view key, object& to, std::string_view member) {
    if (const auto* value = from.list(key)) to[member] = *value;
}
void copy_map(const ComposeReader& from, std::string_view key, object& to, std::string_view member) {
    if (const auto* value = from.map(key)) to[member] = *value;
}

std::uint16_t port_of(const ComposeReader& port, std::string_view key) {
    const auto number = port.integer(key);
    if (!number) return 0;
    if (*number < 0 || *number > std::numeric_limits<std::uint16_t>::max()) {
        port.fail(key, "a port number");
        return 0;
    }
    return static_cast<std::uint16_t>(*number);
}

std::string port_key(std::uint16_t target, const std::string& protocol) {
    return std::to_string(target) + "/" + protocol;
}

array environment(const ComposeReader& service, const BodyContext& context) {
    object merged;
    if (const auto* given = service.map("environment")) {
        for (const auto& member : *given) {
            // null stands for "from the caller's environment", which a node does not have.
            if (!member.value().is_null()) merged[member.key()] = member.value();
        }
    }
    if (context.environment != nullptr) {
        for (const auto& [key, value] : *context.environment) merged[key] = value;
    }
    array out;
    for (const auto& member : merged) {
        const auto* value = member.value().if_string();
        if (value == nullptr) {
            service.fail("environment", "an object of strings");
            break;
        }
        std::string entry(member.key());
        entry += '=';
        entry.append(value->data(), value->size());
        out.emplace_back(entry);
    }
    return out;
}

void ports(const ComposeReader& service, bool bind, object& body, object& host) {
    object exposed;
    object bindings;
    for (const PublishedPort& port : published_ports(service)) {
        const std::string key = port_key(port.target, port.protocol);
        exposed[key] = object();
        auto& list = bindings[key];
        if (!list.is_array()) list = array();
        list.as_array().push_back(
            object{{"HostIp", port.host_ip}, {"HostPort", port.host == 0 ? "" : std::to_string(port.host)}}
        );
    }
    for (const ComposeReader& port : service.items("expose")) {
        exposed[port_key(port_of(port, "target"), port.text("protocol").value_or("tcp"))] = object();
    }
    if (!exposed.empty()) body["ExposedPorts"] = std::move(exposed);
    host["PortBindings"] = bind ? std::move(bindings) : object();
}

/// As docker-compose does it: the short syntax is what `-v` and `--tmpfs` say (a missing host path is made),
/// the long one is a Mount (a missing host path is the engine's error, unless create_host_path asks for it).
class Volumes {
public:
    explicit Volumes(const BodyContext& context) : context_(context) {}

    void add(const ComposeReader& volume) {
        const std::string type = volume.text("type").value_or("volume");
        target_ = volume.text("target").value_or("");
        read_only_ = volume.flag("read_only").value_or(false);
        long_ = volume.flag("long").value_or(false);
        if (target_.empty()) volume.fail("target", "a path");
        if (type == "tmpfs") {
            tmpfs(volume);
        } else if (type == "bind") {
            bind(volume);
        } else if (type == "volume") {
            named(volume);
        } else {
            volume.fail("type", "volume, bind or tmpfs");
        }
    }

    void finish(object& body, object& host) {
        if (!declared_.empty()) body["Volumes"] = std::move(declared_);
        host["Binds"] = std::move(binds_);
        if (!mounts_.empty()) host["Mounts"] = std::move(mounts_);
        if (!tmpfs_.empty()) host["Tmpfs"] = std::move(tmpfs_);
    }

private:
    void tmpfs(const ComposeReader& volume) {
        if (!long_) {
            tmpfs_[target_] = volume.text("options").value_or("");
            return;
        }
        object mount = mount_of("tmpfs");
        object options;
        copy_integer(volume, "size", options, "SizeBytes");
        copy_integer(volume, "mode", options, "Mode");
        if (!options.empty()) mount["TmpfsOptions"] = std::move(options);
        mounts_.push_back(std::move(mount));
    }

    void bind(const ComposeReader& volume) {
        const std::string source = volume.text("source").value_or("");
        if (source.empty()) volume.fail("source", "a path on the node");
        const auto propagation = volume.text("propagation");
        const bool sayable = source.find(':') == std::string::npos && target_.find(':') == std::string::npos;
        if (volume.flag("create_host_path").value_or(false) && sayable) {
            std::string options = read_only_ ? "ro" : "rw";
            if (propagation) options += "," + *propagation;
            add_bind(source, volume.text("options").value_or(options));
            return;
        }
        object mount = mount_of("bind");
        mount["Source"] = source;
        if (propagation) mount["BindOptions"] = object{{"Propagation", *propagation}};
        mounts_.push_back(std::move(mount));
    }

    void named(const ComposeReader& volume) {
        const auto source = volume.text("source");
        if (!long_) {
            if (source) {
                add_bind(context_.volume(*source), volume.text("options").value_or("rw"));
            } else {
                declared_[target_] = object();
            }
            return;
        }
        object mount = mount_of("volume");
        if (source) mount["Source"] = context_.volume(*source);
        if (volume.flag("nocopy").value_or(false)) mount["VolumeOptions"] = object{{"NoCopy", true}};
        mounts_.push_back(std::move(mount));
    }

    object mount_of(std::string_view type) const {
        object mount{{"Type", type}, {"Target", target_}};
        if (read_only_) mount["ReadOnly"] = true;
        return mount;
    }

    void add_bind(const std::string& source, const std::string& options) {
        declared_[target_] = object();
        binds_.emplace_back(source + ":" + target_ + ":" + options);
    }

    const BodyContext& context_;
    std::string target_;
    bool read_only_ = false;
    bool long_ = false;
    object declared_;
    array binds_;
    array mounts_;
    object tmpfs_;
};

void healthcheck(const ComposeReader& service, object& body) {
    const auto* given = service.map("healthcheck");
    if (given == nullptr) return;
    std::optional<Error> own;
    const ComposeReader check(*given, service.path() + ": healthcheck", own);
    object out;
    copy_list(check, "test", out, "Test");
    copy_integer(check, "interval_ns", out, "Interval");
    copy_integer(check, "timeout_ns", out, "Timeout");
    copy_integer(check, "start_period_ns", out, "StartPeriod");
    copy_integer(check, "retries", out, "Retries");
    if (own) service.fail("healthcheck", "a health check: " + own->detail);
    body["Healthcheck"] = std::move(out);
}

void resources(const ComposeReader& service, object& host) {
    std::optional<Error> own;
    if (const auto* given = service.map("limits")) {
        const ComposeReader limits(*given, service.path() + ": limits", own);
        copy_integer(limits, "nano_cpus", host, "NanoCpus");
        copy_integer(limits, "memory", host, "Memory");
        copy_integer(limits, "pids", host, "PidsLimit");
    }
    if (const auto* given = service.map("reservations")) {
        const ComposeReader reservations(*given, service.path() + ": reservations", own);
        copy_integer(reservations, "memory", host, "MemoryReservation");
        array requests;
        for (const ComposeReader& device : reservations.items("devices")) {
            object request;
            copy_text(device, "driver", request, "Driver");
            copy_integer(device, "count", request, "Count");
            copy_list(device, "device_ids", request, "DeviceIDs");
            // The engine takes alternatives, each a set that must be had together; compose means one set.
            if (const auto* capabilities = device.list("capabilities")) {
                array alternatives;
                alternatives.push_back(*capabilities);
                request["Capabilities"] = std::move(alternatives);
            }
            requests.push_back(std::move(request));
        }
        if (!requests.empty()) host["DeviceRequests"] = std::move(requests);
    }
    if (own) service.fail("limits", "a set of resources: " + own->detail);
    copy_integer(service, "cpu_shares", host, "CpuShares");
    copy_integer(service, "cpu_quota", host, "CpuQuota");
    copy_integer(service, "cpu_period", host, "CpuPeriod");
    copy_text(service, "cpuset", host, "CpusetCpus");
    copy_integer(service, "memswap_limit", host, "MemorySwap");
    copy_integer(service, "mem_swappiness", host, "MemorySwappiness");
    copy_flag(service, "oom_kill_disable", host, "OomKillDisable");
    copy_integer(service, "oom_score_adj", host, "OomScoreAdj");
    copy_text(service, "cgroup_parent", host, "CgroupParent");
}

void devices(const ComposeReader& service, object& host) {
    array out;
    for (const ComposeReader& device : service.items("devices")) {
        const std::string source = device.text("source").value_or("");
        out.push_back(object{
            {"PathOnHost", source},
            {"PathInContainer", device.text("target").value_or(source)},
            {"CgroupPermissions", device.text("permissions").value_or("rwm")}
        });
    }
    if (!out.empty()) host["Devices"] = std::move(out);
}

void ulimits(const ComposeReader& service, object& host) {
    array out;
    for (const auto& [name, limit] : service.members("ulimits")) {
        object entry{{"Name", name}};
        copy_integer(limit, "soft", entry, "Soft");
        copy_integer(limit, "hard", entry, "Hard");
        out.push_back(std::move(entry));
    }
    if (!out.empty()) host["Ulimits"] = std::move(out);
}

void logging(const ComposeReader& service, object& host) {
    const auto* given = service.map("logging");
    if (given == nullptr) {
        // The engine's own default grows without end; on an edge node that is how disks fill up.
        host["LogConfig"] =
            object{{"Type", "json-file"}, {"Config", object{{"max-size", "10m"}, {"max-file", "3"}}}};
        return;
    }
    std::optional<Error> own;
    const ComposeReader log(*given, service.path() + ": logging", own);
    object config;
    config["Type"] = log.text("driver").value_or("");
    config["Config"] = object();
    copy_map(log, "options", config, "Config");
    if (own) service.fail("logging", "a log driver: " + own->detail);
    host["LogConfig"] = std::move(config);
}

void restart(const ComposeReader& service, const BodyContext& context, object& host) {
    if (!context.engine_restarts) {
        host["RestartPolicy"] = object{{"Name", "no"}};
        return;
    }
    const auto policy = service.text("restart");
    if (!policy) return;
    object out{{"Name", *policy}};
    copy_integer(service, "restart_max_retries", out, "MaximumRetryCount");
    host["RestartPolicy"] = std::move(out);
}

void network(const ComposeReader& service, const BodyContext& context, object& body, object& host) {
    if (const auto mode = service.text("network_mode")) {
        host["NetworkMode"] = *mode;
        return;
    }
    if (context.networks.empty()) return;
    const NetworkAttachment& first = context.networks.front();
    host["NetworkMode"] = first.network;
    object endpoints;
    endpoints[first.network] = first.endpoint;
    object networking;
    networking["EndpointsConfig"] = std::move(endpoints);
    body["NetworkingConfig"] = std::move(networking);
}

}  // namespace

std::vector<PublishedPort> published_ports(const ComposeReader& service) {
    std::vector<PublishedPort> out;
    for (const ComposeReader& port : service.items("ports")) {
        PublishedPort entry;
        entry.host_ip = port.text("host_ip").value_or("");
        entry.host = port_of(port, "published");
        entry.target = port_of(port, "target");
        entry.protocol = port.text("protocol").value_or("tcp");
        out.push_back(std::move(entry));
    }
    return out;
}

object container_body(const ComposeReader& service, const BodyContext& context) {
    object body;
    object host;
    copy_text(service, "image", body, "Image");
    copy_list(service, "command", body, "Cmd");
    copy_list(service, "entrypoint", body, "Entrypoint");
    body["Env"] = environment(service, context);
    body["Labels"] = context.labels;
    copy_text(service, "user", body, "User");
    copy_text(service, "working_dir", body, "WorkingDir");
    copy_text(service, "hostname", body, "Hostname");
    copy_text(service, "domainname", body, "Domainname");
    copy_flag(service, "tty", body, "Tty");
    copy_flag(service, "stdin_open", body, "OpenStdin");
    copy_text(service, "stop_signal", body, "StopSignal");
    if (const auto grace = service.integer("stop_grace_period_ns")) {
        constexpr std::int64_t kSecond = 1'000'000'000;
        body["StopTimeout"] = (*grace + kSecond - 1) / kSecond;
    }
    healthcheck(service, body);

    copy_list(service, "extra_hosts", host, "ExtraHosts");
    copy_list(service, "dns", host, "Dns");
    copy_list(service, "dns_search", host, "DnsSearch");
    copy_list(service, "dns_opt", host, "DnsOptions");
    copy_list(service, "cap_add", host, "CapAdd");
    copy_list(service, "cap_drop", host, "CapDrop");
    copy_list(service, "security_opt", host, "SecurityOpt");
    copy_list(service, "group_add", host, "GroupAdd");
    copy_flag(service, "privileged", host, "Privileged");
    copy_flag(service, "read_only", host, "ReadonlyRootfs");
    copy_flag(service, "init", host, "Init");
    copy_map(service, "sysctls", host, "Sysctls");
    copy_integer(service, "shm_size", host, "ShmSize");
    copy_text(service, "pid", host, "PidMode");
    copy_text(service, "ipc", host, "IpcMode");
    copy_text(service, "userns_mode", host, "UsernsMode");
    resources(service, host);
    devices(service, host);
    copy_list(service, "device_cgroup_rules", host, "DeviceCgroupRules");
    ulimits(service, host);
    logging(service, host);
    restart(service, context, host);
    ports(service, service.text("network_mode").value_or("") != "host", body, host);
    Volumes volumes(context);
    for (const ComposeReader& volume : service.items("volumes")) volumes.add(volume);
    volumes.finish(body, host);
    // Said although empty, here and above: an inspection shows what docker-compose says.
    host["VolumesFrom"] = array();
    network(service, context, body, host);
    body["HostConfig"] = std::move(host);
    return body;
}

}  // namespace icos::agent
