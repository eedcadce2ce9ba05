// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/container_plan.hpp"

#include "agent/engine/compose_reader.hpp"
#include "agent/engine/container_body.hpp"
#include "agent/engine/names.hpp"
#include "icos/link/digest.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace icos::agent {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::int64_t kMaxReplicas = 1000;
constexpr std::string_view kDefaultNetwork = "default";

void append_unique(std::vector<std::string>& to, std::string value) {
    if (std::find(to.begin(), to.end(), value) == to.end()) to.push_back(std::move(value));
}

RestartPolicy restart_policy(const ComposeReader& service) {
    const std::string word = service.text("restart").value_or("no");
    if (word == "always") return RestartPolicy::always;
    if (word == "unless-stopped") return RestartPolicy::unless_stopped;
    if (word == "on-failure") return RestartPolicy::on_failure;
    if (word != "no") service.fail("restart", "no, always, on-failure or unless-stopped");
    return RestartPolicy::no;
}

StartCondition start_condition(const ComposeReader& dependency) {
    const std::string word = dependency.text("condition").value_or("service_started");
    if (word == "service_healthy") return StartCondition::healthy;
    if (word == "service_completed_successfully") return StartCondition::completed;
    if (word != "service_started") {
        dependency.fail("condition", "service_started, service_healthy or service_completed_successfully");
    }
    return StartCondition::started;
}

std::uint32_t owner(const ComposeReader& file, std::string_view key) {
    const std::string text = file.text(key).value_or("0");
    std::uint32_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size()) file.fail(key, "a number");
    return number;
}

/// The component as one compose project: all its manifests together.
class Project {
public:
    Project(const DesiredPlacement& placement, std::string_view target, std::string_view secrets_dir)
        : placement_(placement), target_(target), secrets_dir_(secrets_dir) {}

    Result<PlacementPlan> plan() {
        Result<void> step = read();
        if (step.has_error()) return step.error();
        plan_.application_network = application_network_name(app_part(placement_), placement_.app_id);
        for (const auto& [name, service] : services_) plan_service(name, service);
        plan_networks();
        plan_volumes();
        if (error_) return *error_;
        step = sort_containers();
        if (step.has_error()) return step.error();
        return std::move(plan_);
    }

private:
    using Definitions = std::vector<std::pair<std::string, ComposeReader>>;

    Result<void> read() {
        documents_.reserve(placement_.manifests.size());
        for (const WorkManifest& manifest : placement_.manifests) {
            boost::system::error_code ec;
            boost::json::value value = boost::json::parse(manifest.compose, ec);
            if (ec || !value.is_object()) {
                return Error{errc::invalid, "manifest '" + manifest.name + "' is not a JSON object"};
            }
            documents_.push_back(std::move(value.as_object()));
        }
        for (std::size_t i = 0; i < documents_.size(); ++i) {
            const ComposeReader root(
                documents_[i], "manifest '" + placement_.manifests[i].name + "'", error_
            );
            for (auto& entry : root.members("services")) {
                if (find(services_, entry.first) != nullptr) {
                    return Error{
                        errc::invalid,
                        root.path() + ": service '" + entry.first +
                            "' is in another manifest of the component too",
                        "rename one of them"
                    };
                }
                services_.push_back(std::move(entry));
            }
            for (const std::string_view section : {"networks", "volumes", "configs", "secrets"}) {
                const Result<void> added = define(root, section);
                if (added.has_error()) return added.error();
            }
        }
        if (error_) return *error_;
        return {};
    }

    /// Manifests of one project may repeat a definition, or name it without one, but not contradict each
    /// other.
    Result<void> define(const ComposeReader& root, std::string_view section) {
        Definitions& known = definitions_[std::string(section)];
        for (auto& entry : root.members(section)) {
            const auto same = std::find_if(known.begin(), known.end(), [&](const auto& other) {
                return other.first == entry.first;
            });
            if (same == known.end()) {
                known.push_back(std::move(entry));
            } else if (same->second.object().empty()) {
                same->second = entry.second;
            } else if (!entry.second.object().empty() && entry.second.object() != same->second.object()) {
                return Error{
                    errc::invalid,
                    entry.second.path() + " is defined differently in another manifest of the component",
                    "rename one of them"
                };
            }
        }
        return {};
    }

    static const ComposeReader* find(const Definitions& definitions, std::string_view name) {
        for (const auto& [key, reader] : definitions) {
            if (key == name) return &reader;
        }
        return nullptr;
    }
    const ComposeReader* find(std::string_view section, std::string_view name) const {
        const auto found = definitions_.find(section);
        return found == definitions_.end() ? nullptr : find(found->second, name);
    }

    static bool is_external(const ComposeReader* definition) {
        return definition != nullptr && definition->flag("external").value_or(false);
    }

    std::string network_name(const std::string& network) const {
        const ComposeReader* definition = find("networks", network);
        if (definition != nullptr) {
            if (const auto name = definition->text("name")) return *name;
        }
        return is_external(definition) ? network : component_network_name(placement_, network);
    }

    std::string engine_volume_name(const std::string& volume) const {
        const ComposeReader* definition = find("volumes", volume);
        if (definition != nullptr) {
            if (const auto name = definition->text("name")) return *name;
        }
        return is_external(definition) ? volume : volume_name(placement_, volume);
    }

    object endpoint(const ComposeReader* given, std::vector<std::string> aliases) const {
        object out;
        if (given != nullptr) {
            if (const auto* own = given->list("aliases")) {
                for (const auto& alias : *own) {
                    if (const auto* text = alias.if_string()) append_unique(aliases, std::string(*text));
                }
            }
            if (const auto address = given->text("ipv4_address")) {
                out["IPAMConfig"] = object{{"IPv4Address", *address}};
            }
        }
        array list;
        for (std::string& alias : aliases) list.emplace_back(std::move(alias));
        out["Aliases"] = std::move(list);
        return out;
    }

    std::vector<std::string> application_aliases(const std::string& service) const {
        const auto given = placement_.aliases.find(service);
        if (given != placement_.aliases.end()) return given->second;
        return {service + "." + placement_.component, service};
    }

    /// The application's network first, so that it is the one with the default route. Services that name only
    /// internal networks asked to be cut off and are not on it.
    std::vector<NetworkAttachment> attachments(const std::string& name, const ComposeReader& service) {
        std::vector<NetworkAttachment> out;
        if (service.has("network_mode")) return out;
        const auto networks = service.members("networks");
        const bool isolated =
            !networks.empty() && std::all_of(networks.begin(), networks.end(), [&](const auto& entry) {
                const ComposeReader* definition = find("networks", entry.first);
                return entry.first != kDefaultNetwork && definition != nullptr &&
                       definition->flag("internal").value_or(false);
            });
        if (!isolated) {
            const ComposeReader* given = find(networks, kDefaultNetwork);
            out.push_back({plan_.application_network, endpoint(given, application_aliases(name))});
            used_networks_.emplace_back(kDefaultNetwork);
            // An external default network belongs to somebody else, so it cannot be the application's own.
            if ((networks.empty() || given != nullptr) && is_external(find("networks", kDefaultNetwork))) {
                out.push_back({network_name(std::string(kDefaultNetwork)), endpoint(given, {name})});
            }
        }
        for (const auto& [network, given] : networks) {
            if (network == kDefaultNetwork) continue;
            out.push_back({network_name(network), endpoint(&given, {name})});
            append_unique(used_networks_, network);
        }
        return out;
    }

    void plan_service(const std::string& name, const ComposeReader& service) {
        const std::int64_t replicas = service.integer("replicas").value_or(1);
        if (replicas < 0 || replicas > kMaxReplicas) {
            service.fail("replicas", "a number from 0 to " + std::to_string(kMaxReplicas));
            return;
        }
        if (!service.has("image")) service.fail("image", "given");
        nodes_.push_back({name, dependencies(service)});
        ContainerPlan plan;
        plan.service = name;
        plan.depends_on = nodes_.back().depends_on;
        plan.image = service.text("image").value_or("");
        plan.pull_policy = service.text("pull_policy").value_or(placement_.pull);
        plan.has_healthcheck = has_healthcheck(service);
        plan.restart = restart_policy(service);
        plan.restart_max_retries = static_cast<std::uint32_t>(
            std::max<std::int64_t>(0, service.integer("restart_max_retries").value_or(0))
        );
        if (const auto grace = service.integer("stop_grace_period_ns")) {
            plan.stop_grace = std::chrono::ceil<Duration>(std::chrono::nanoseconds(*grace));
        }
        if (service.text("network_mode").value_or("") != "host") plan.published = published_ports(service);
        add_configs(service, plan.files);
        const array secrets = secret_mounts(name, service);
        BodyContext context;
        context.environment = &placement_.environment;
        context.engine_restarts = !placement_.exclusive;
        context.networks = attachments(name, service);
        context.volume = [this](const std::string& volume) {
            append_unique(used_volumes_, volume);
            return engine_volume_name(volume);
        };
        if (context.networks.size() > 1) {
            plan.more_networks.assign(context.networks.begin() + 1, context.networks.end());
        }
        for (std::uint32_t index = 1; index <= static_cast<std::uint32_t>(replicas); ++index) {
            ContainerPlan copy = plan;
            copy.index = index;
            copy.name = container_name(placement_, name, index);
            copy.staged_name = staged_container_name(placement_, name, index);
            context.labels = container_labels(placement_, target_, name, index, service.map("labels"));
            copy.body = container_body(service, context);
            mount_secrets(secrets, copy.body);
            plan_.containers.push_back(std::move(copy));
        }
    }

    static std::vector<Dependency> dependencies(const ComposeReader& service) {
        std::vector<Dependency> out;
        for (const auto& [name, dependency] : service.members("depends_on")) {
            out.push_back({name, start_condition(dependency), dependency.flag("required").value_or(true)});
        }
        return out;
    }

    static bool has_healthcheck(const ComposeReader& service) {
        const object* check = service.map("healthcheck");
        if (check == nullptr) return false;
        const auto* test = check->if_contains("test");
        const array* words = test == nullptr ? nullptr : test->if_array();
        // Times without a test adjust the check that the image brings.
        return words == nullptr || words->empty() || words->front() != "NONE";
    }

    /// One entry of a service's configs or secrets with its content: path in the container, bytes, owner.
    std::optional<FilePut> content_file(
        const ComposeReader& entry, std::string_view section, std::string_view folder
    ) const {
        const std::string source = entry.text("source").value_or("");
        const ComposeReader* definition = find(section, source);
        if (definition == nullptr || !definition->has("content")) {
            entry.fail(
                "source", "the name of one of the manifest's " + std::string(section) + " with content"
            );
            return std::nullopt;
        }
        FilePut file;
        file.path = entry.text("target").value_or(source);
        if (!file.path.starts_with('/')) file.path.insert(0, folder);
        file.content = definition->text("content").value_or("");
        file.mode = static_cast<unsigned>(entry.integer("mode").value_or(0444)) & 07777U;
        file.uid = owner(entry, "uid");
        file.gid = owner(entry, "gid");
        return file;
    }

    void add_configs(const ComposeReader& service, std::vector<FilePut>& files) const {
        for (const ComposeReader& entry : service.items("configs")) {
            if (auto file = content_file(entry, "configs", "/")) files.push_back(std::move(*file));
        }
    }

    /// The files are named after what they are for, not after their order: that may change within one digest.
    array secret_mounts(const std::string& name, const ComposeReader& service) {
        array mounts;
        for (const ComposeReader& entry : service.items("secrets")) {
            auto file = content_file(entry, "secrets", "/run/secrets/");
            if (!file) continue;
            const std::string key = link::sha256_hex(name + '\n' + file->path).substr(0, 16);
            SecretFile secret;
            secret.source = secrets_folder(placement_.placement, placement_.digest) + "/" + key;
            secret.content = std::move(file->content);
            secret.mode = file->mode;
            if (entry.has("uid")) secret.uid = file->uid;
            if (entry.has("gid")) secret.gid = file->gid;
            // A mount, and no entry of Binds: for a source that is missing the engine refuses to start the
            // container, instead of making an empty directory in its place.
            mounts.push_back(object{
                {"Type", "bind"},
                {"Source", std::string(secrets_dir_) + "/" + secret.source},
                {"Target", file->path},
                {"ReadOnly", true}
            });
            plan_.secrets.push_back(std::move(secret));
        }
        return mounts;
    }

    static void mount_secrets(const array& mounts, object& body) {
        if (mounts.empty()) return;
        object& host = body["HostConfig"].as_object();
        if (!host.contains("Mounts")) host["Mounts"] = array();
        array& all = host["Mounts"].as_array();
        all.insert(all.end(), mounts.begin(), mounts.end());
    }

    object network_body(const ComposeReader* definition, object labels) const {
        object body{{"Driver", "bridge"}, {"CheckDuplicate", true}, {"Attachable", true}};
        if (definition != nullptr) {
            if (const auto driver = definition->text("driver")) body["Driver"] = *driver;
            if (const auto internal = definition->flag("internal")) body["Internal"] = *internal;
            if (const auto* options = definition->map("driver_opts")) body["Options"] = *options;
            if (const auto* given = definition->map("ipam")) {
                const ComposeReader ipam(*given, definition->path() + ": ipam", error_);
                array pools;
                for (const ComposeReader& pool : ipam.items("config")) {
                    object entry;
                    if (const auto subnet = pool.text("subnet")) entry["Subnet"] = *subnet;
                    if (const auto gateway = pool.text("gateway")) entry["Gateway"] = *gateway;
                    if (const auto range = pool.text("ip_range")) entry["IPRange"] = *range;
                    if (const auto* hosts = pool.map("aux_addresses")) entry["AuxiliaryAddresses"] = *hosts;
                    pools.push_back(std::move(entry));
                }
                body["IPAM"] = object{{"Driver", "default"}, {"Config", std::move(pools)}};
            }
        }
        body["Labels"] = std::move(labels);
        return body;
    }

    void plan_networks() {
        const bool application =
            std::find(used_networks_.begin(), used_networks_.end(), kDefaultNetwork) != used_networks_.end();
        if (application) {
            const ComposeReader* definition = find("networks", kDefaultNetwork);
            const bool external = is_external(definition);
            const ComposeReader* own = external ? nullptr : definition;
            object labels =
                application_labels(placement_, target_, own == nullptr ? nullptr : own->map("labels"));
            plan_.networks.push_back({plan_.application_network, network_body(own, std::move(labels)), false}
            );
            if (external) plan_.networks.push_back({network_name(std::string(kDefaultNetwork)), {}, true});
        }
        for (const std::string& network : used_networks_) {
            if (network == kDefaultNetwork) continue;
            const ComposeReader* definition = find("networks", network);
            if (is_external(definition)) {
                plan_.networks.push_back({network_name(network), {}, true});
                continue;
            }
            object labels = component_labels(
                placement_, target_, definition == nullptr ? nullptr : definition->map("labels")
            );
            plan_.networks.push_back(
                {network_name(network), network_body(definition, std::move(labels)), false}
            );
        }
    }

    void plan_volumes() {
        for (const std::string& volume : used_volumes_) {
            const ComposeReader* definition = find("volumes", volume);
            if (is_external(definition)) {
                plan_.volumes.push_back({engine_volume_name(volume), {}, true});
                continue;
            }
            object body;
            if (definition != nullptr) {
                if (const auto driver = definition->text("driver")) body["Driver"] = *driver;
                if (const auto* options = definition->map("driver_opts")) body["DriverOpts"] = *options;
            }
            body["Labels"] = component_labels(
                placement_, target_, definition == nullptr ? nullptr : definition->map("labels")
            );
            plan_.volumes.push_back({engine_volume_name(volume), std::move(body), false});
        }
    }

    Result<void> sort_containers() {
        const Result<std::vector<std::string>> order = start_order(nodes_);
        if (order.has_error()) return order.error();
        std::map<std::string, std::size_t> rank;
        for (std::size_t i = 0; i < order->size(); ++i) rank.emplace((*order)[i], i);
        const auto key = [&](const ContainerPlan& plan) { return std::pair(rank[plan.service], plan.index); };
        std::sort(
            plan_.containers.begin(),
            plan_.containers.end(),
            [&](const ContainerPlan& a, const ContainerPlan& b) { return key(a) < key(b); }
        );
        return {};
    }

    const DesiredPlacement& placement_;
    std::string_view target_;
    std::string_view secrets_dir_;
    mutable std::optional<Error> error_;
    std::vector<object> documents_;  ///< readers point into them
    Definitions services_;
    std::map<std::string, Definitions, std::less<>> definitions_;
    std::vector<ServiceNode> nodes_;
    std::vector<std::string> used_networks_;
    std::vector<std::string> used_volumes_;
    PlacementPlan plan_;
};

}  // namespace

std::string secrets_folder(const PlacementId& placement, std::string_view digest) {
    // Hashed, because both come from outside and become a path.
    return link::sha256_hex(placement.value).substr(0, 16) + "/" + link::sha256_hex(digest).substr(0, 16);
}

Result<PlacementPlan> plan_placement(
    const DesiredPlacement& placement, std::string_view target, std::string_view secrets_dir
) {
    return Project(placement, target, secrets_dir).plan();
}

}  // namespace icos::agent
