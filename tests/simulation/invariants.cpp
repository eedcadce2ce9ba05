// SPDX-License-Identifier: Apache-2.0
#include "invariants.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <utility>

namespace icos::sim {
namespace {

constexpr int kKilled = 137;  ///< by the fault that kills a container

/// Below the lease of 30 s: the clocks of lease and of this check start at different ends of the wire.
constexpr SimTime kMaybeLost = 20s;
constexpr SimTime kHeardOf = 7s;      ///< a link that idles is heard of more often
constexpr SimTime kMoveTime = 3min;   ///< a move that was decided is made within
constexpr SimTime kEngineTakes = 3s;  ///< a start that was asked for while the lease held
constexpr std::size_t kFrameHeader = 8;

/// Value of a string member near the beginning of a JSON text; frames may hold only the first part of a
/// message.
std::string member(std::string_view json, std::string_view name) {
    const std::string key = "\"" + std::string(name) + "\":\"";
    const auto at = json.find(key);
    if (at == std::string_view::npos) return {};
    const auto begin = at + key.size();
    const auto end = json.find('"', begin);
    return end == std::string_view::npos ? std::string() : std::string(json.substr(begin, end - begin));
}

/// One service of one replica of an application instance: what must not run twice.
/// Of an update that has not taken over yet: "…-g<digest>".
bool is_staged(const SimContainer& container) {
    constexpr std::size_t kSuffix = 10;
    const std::string& name = container.state.name;
    return name.size() > kSuffix && name.compare(name.size() - kSuffix, 2, "-g") == 0;
}

std::string replica_of(const SimContainer& container) {
    return container.label("app.icos.eu/instance") + " " + component_of(container) + " " +
           container.label("icos.eu/replica") + " " + container.label("icos.eu/service");
}

std::string key_of(const SimNode& node, const SimContainer& container) {
    return node.name() + " " + container.label("icos.eu/placement") + " " +
           container.label("icos.eu/service") + " " + container.revision;
}

}  // namespace

std::string app_of(const SimContainer& container) {
    return container.label("app.icos.eu/name");
}
std::string component_of(const SimContainer& container) {
    return container.label("app.icos.eu/component");
}

Invariants::Invariants(World& world, SimNetwork& network, SimUser& user)
    : world_(world), user_(user), leases_(world) {
    network.observe([this](const SimNetwork::SentFrame& frame) {
        leases_.on_sent(frame);
        on_frame(frame);
    });
    network.observe_delivery([this](const SimNetwork::SentFrame& frame) { leases_.on_delivered(frame); });
}

void Invariants::watch(SimNode& node) {
    nodes_.push_back(&node);
    node.engine().observe([this, &node](const SimEngine::Change& change) { on_container(node, change); });
    node.on_agent_start([this, &node] { leases_.on_agent_start(node.name()); });
    node.hurry_agent_when([this, &node] { return runs_exclusive(node); });
}

void Invariants::touch(const std::string& node) {
    Contact& contact = contacts_[node];
    if (world_.now() - contact.last_frame > kMaybeLost) contact.given_up_at = world_.now();
    contact.last_frame = world_.now();
}

bool Invariants::runs_exclusive(SimNode& node) const {
    const auto& containers = node.engine().containers();
    return std::any_of(containers.begin(), containers.end(), [this](const auto& entry) {
        const ComponentSpec* spec = spec_of(entry.second);
        return entry.second.is_up() && spec != nullptr && spec->is_exclusive();
    });
}

void Invariants::on_mass_loss(const std::set<std::string>& nodes) {
    mass_loss_ = MassLoss{{}, world_.now()};
    for (const std::string& node : nodes) {
        // Only of those that were there it is known that they did not go for another reason before.
        const Contact& contact = contacts_[node];
        if (world_.now() - contact.last_frame < kHeardOf && contact.given_up_at < world_.now() - kMoveTime)
            mass_loss_.nodes.insert(node);
    }
    // So few that another may take the rest for a coincidence.
    if (2 * mass_loss_.nodes.size() <= nodes_.size()) mass_loss_.nodes.clear();
}

void Invariants::on_container(SimNode& node, const SimEngine::Change& change) {
    using Act = SimEngine::Act;
    const SimContainer& container = change.container;
    switch (change.act) {
        case Act::created:
            on_create(node, container);
            break;
        case Act::started:
            started_[container.state.id] = world_.now();
            on_start(node, container);
            break;
        case Act::stopped:
            on_end_by_agent(node, container, "stopped");
            break;
        case Act::removed:
            on_end_by_agent(node, container, "removed");
            on_removed(node, container);
            break;
        case Act::restarted_by_engine:
            on_start(node, container);
            break;
        case Act::lost_power:  // also when the engine is restarted
        case Act::died:
            on_death(node, container);
            break;
        case Act::renamed:
        case Act::health:
            break;
    }
}

/// An update whose container dies before it took over is taken back, by the agent alone.
void Invariants::on_death(SimNode& node, const SimContainer& container) {
    if (container.stopped_by_hand) return;
    for (const auto& [id, other] : node.engine().containers()) {
        if (replica_of(other) == replica_of(container) && other.revision != container.revision)
            taken_back_.insert({app_of(container), component_of(container), container.revision});
    }
}

/// A copy that goes for another one, which was there before, was not the home after all.
void Invariants::on_removed(SimNode& node, const SimContainer& container) {
    const auto home = homes_.find(replica_of(container));
    if (home == homes_.end() || home->second.node != node.name()) return;
    for (SimNode* place : nodes_) {
        if (place == &node) continue;
        for (const auto& [id, other] : place->engine().containers()) {
            if (replica_of(other) == replica_of(container)) home->second = Home{place->name(), world_.now()};
        }
    }
}

void Invariants::on_start(SimNode& node, const SimContainer& container) {
    const ComponentSpec* spec = spec_of(container);
    if (spec == nullptr || !spec->is_exclusive()) return;
    world_.count("check.exclusive container started");
    if (!leases_.may_start(node.name(), kEngineTakes)) {
        return world_.fail(
            "exclusive " + container.state.name + " started on " + node.name() + " without a lease"
        );
    }
    for (SimNode* place : nodes_) {
        for (const auto& [id, other] : place->engine().containers()) {
            if (id == container.state.id || !other.is_up() || replica_of(other) != replica_of(container))
                continue;
            return world_.fail(
                "exclusive " + container.state.name + " started on " + node.name() + " while " +
                other.state.name + " runs on " + place->name()
            );
        }
    }
}

const ComponentSpec* Invariants::spec_of(const SimContainer& container) const {
    const AppModel* app = user_.find(app_of(container));
    if (app == nullptr) return nullptr;
    const auto spec = app->history.find({component_of(container), container.revision});
    return spec == app->history.end() ? nullptr : &spec->second;
}

void Invariants::check_home(SimNode& node, const SimContainer& container, const ComponentSpec& spec) {
    Home& home = homes_[replica_of(container)];
    const Home before = std::exchange(home, Home{node.name(), world_.now()});
    if (before.node.empty() || before.node == node.name()) return;
    world_.count("check.replica made on another node");
    if (spec.is_kept()) {
        return world_.fail(
            container.state.name + " has its data on " + before.node + " and was begun anew on " + node.name()
        );
    }
    const AppModel* app = user_.find(app_of(container));
    const bool is_wish = app->last_change > mass_loss_.since - kMoveTime ||
                         user_.was_drained(before.node, mass_loss_.since - kMoveTime);
    if (mass_loss_.nodes.contains(before.node) && before.since < mass_loss_.since && !is_wish) {
        world_.fail(
            container.state.name + " was moved from " + before.node + " to " + node.name() +
            " although most nodes were lost at once"
        );
    }
}

void Invariants::on_end_by_agent(SimNode& node, const SimContainer& container, const std::string& word) {
    if (!container.is_healthy()) return;
    const AppModel* app = user_.find(app_of(container));
    const SimTime started = started_[container.state.id];
    if (app == nullptr || app->has_reason_to_end(component_of(container), container.revision, started))
        return;
    if (is_staged(container) &&
        taken_back_.contains({app_of(container), component_of(container), container.revision})) {
        world_.count("check.update taken back");
        return;
    }
    const ComponentSpec* spec = spec_of(container);
    if (spec != nullptr && spec->is_exclusive() && user_.was_drained(node.name(), started)) {
        world_.count("check.exclusive container ended for a drain");
        return;
    }
    const Contact& contact = contacts_[node.name()];
    if (spec != nullptr && spec->is_exclusive() && word == "stopped" && leases_.may_end(node.name())) {
        world_.count("check.exclusive container ended with its node's lease");
        return;
    }
    const bool silent_now = world_.now() - contact.last_frame > kMaybeLost;
    if (contact.given_up_at >= started || silent_now) {
        // It was given another home meanwhile, which has it. What must not happen is that it comes back as it
        // was.
        if (!has_other_copy(node, container)) {
            return world_.fail(
                container.state.name + " (revision " + container.revision + ") on " + node.name() +
                ", which had been away, was " + word + " before another node had a copy"
            );
        }
        ended_for_no_reason_.insert(key_of(node, container));
        world_.count("check.container of a node that was away ended");
        return;
    }
    if (has_other_copy(node, container)) {
        // A move: the copy that is left behind goes once the other one runs.
        world_.count("check.copy ended in favour of another node's");
        return;
    }
    world_.fail(
        "healthy container " + container.state.id + " (" + container.state.name + ", revision " +
        container.revision + ") on " + node.name() + " was " + word + " and nobody asked for it"
    );
}

bool Invariants::has_other_copy(const SimNode& node, const SimContainer& container) const {
    const auto same = [&](const SimContainer& other, const char* label) {
        return other.label(label) == container.label(label);
    };
    for (SimNode* place : nodes_) {
        if (place == &node) continue;
        for (const auto& [id, other] : place->engine().containers()) {
            if (started_.contains(id) && same(other, "icos.eu/service") && same(other, "icos.eu/replica") &&
                same(other, "app.icos.eu/component") && same(other, "app.icos.eu/instance"))
                return true;
        }
    }
    return false;
}

void Invariants::on_create(SimNode& node, const SimContainer& container) {
    world_.count("check.container created");
    if (ended_for_no_reason_.contains(key_of(node, container))) {
        return world_.fail(
            "healthy container " + container.state.name + " on " + node.name() +
            " was replaced by one of the same revision"
        );
    }
    if (const ComponentSpec* spec = spec_of(container)) check_home(node, container, *spec);
    // Claims per placement: two generations of one placement may overlap while they are switched.
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> claims;
    for (const auto& [id, other] : node.engine().containers()) {
        const ComponentSpec* spec = spec_of(other);
        if (spec == nullptr) continue;
        auto& claim = claims[other.label("icos.eu/placement")];
        claim.first = std::max<std::uint64_t>(claim.first, spec->cpu_milli);
        claim.second = std::max<std::uint64_t>(claim.second, spec->memory_mib << 20U);
    }
    std::uint64_t cpu = 0;
    std::uint64_t memory = 0;
    for (const auto& [placement, claim] : claims) {
        cpu += claim.first;
        memory += claim.second;
    }
    if (cpu > node.cpu_milli || memory > node.memory_bytes) {
        world_.fail(
            node.name() + " is over-committed: " + std::to_string(cpu) + " of " +
            std::to_string(node.cpu_milli) + " milli-cores, " + std::to_string(memory >> 20U) + " of " +
            std::to_string(node.memory_bytes >> 20U) + " MiB"
        );
    }
}

void Invariants::on_frame(const SimNetwork::SentFrame& frame) {
    if (frame.to_host == kControllerHost) touch(frame.from_host);
    if (frame.bytes.size() <= kFrameHeader) return;
    const auto type = static_cast<unsigned char>(frame.bytes[1]);
    const bool is_data = type == 1 || type == 2;
    const bool is_control = frame.bytes.substr(4, 4) == std::string_view("\0\0\0\0", 4);
    if (is_data && is_control && frame.bytes[kFrameHeader] == '{')
        on_control(frame, frame.bytes.substr(kFrameHeader));
}

void Invariants::on_control(const SimNetwork::SentFrame& frame, std::string_view json) {
    const bool by_node = frame.to_host == kControllerHost;
    const std::string& node = by_node ? frame.from_host : frame.to_host;
    const std::string_view head = json.substr(0, 400);
    const std::string type = member(head, "type");
    Wire& wire = wires_[frame.connection];
    Log& log = logs_[node];
    if (!type.empty() && type != "observed") {
        world_.trace(
            node + (by_node ? " -> " : " <- ") + type + " " +
            member(json, type == "hello" ? "accepted_digest" : "digest").substr(0, 12)
        );
    }
    if (type == "hello") {
        wire = Wire{node, member(json, "accepted_digest"), false};
        world_.count("check.hello");
        // A log whose end was cut shows no digest: right only if a set was on its way when the node went
        // down.
        const bool unsure = wire.hello_digest.empty() && !log.offered.empty();
        const bool known =
            wire.hello_digest == log.accepted || log.offered.contains(wire.hello_digest) || unsure;
        if (!log.accepted.empty() && !known) {
            world_.fail(
                node + " has forgotten the set it had reported as accepted (" + log.accepted.substr(0, 12) +
                ")"
            );
        }
    } else if (type == "desired") {
        const std::string digest = member(head, "digest");
        log.offered.insert(digest);
        if (!wire.desired_seen && digest == wire.hello_digest) {
            world_.fail(node + " was sent the set whose digest it had shown in its hello");
        }
        wire.desired_seen = true;
    } else if (type == "accepted" && by_node) {
        if (member(head, "problem").empty()) {
            log.accepted = member(head, "digest");
            log.offered.clear();
        }
    }
}

void Invariants::check_settled(
    const std::vector<std::unique_ptr<SimNode>>& nodes, const std::string& apps_json
) {
    // Replicas that the controller says have no home: allowed, they had to be enough for their zone.
    std::map<std::pair<std::string, std::string>, std::size_t> homeless;
    // What has a place on a node may have its network there without a container: its image cannot be had.
    std::map<std::string, std::set<std::string>> at_home;
    const boost::json::value apps = boost::json::parse(apps_json);
    for (const boost::json::value& app : apps.at("items").as_array()) {
        const std::string name(app.at("name").as_string());
        for (const boost::json::value& component : app.at("components").as_array()) {
            for (const boost::json::value& placement : component.at("placements").as_array()) {
                const std::string home(placement.at("node").as_string());
                if (!home.empty()) {
                    at_home[home].insert(name);
                    continue;
                }
                ++homeless[{name, std::string(component.at("name").as_string())}];
            }
        }
    }

    std::map<std::pair<std::string, std::string>, std::vector<std::pair<std::string, const SimContainer*>>>
        found;
    for (const auto& node : nodes) {
        std::set<std::string> apps_here = at_home[node->name()];
        for (const auto& [id, container] : node->engine().containers()) {
            found[{app_of(container), component_of(container)}].emplace_back(node->name(), &container);
            apps_here.insert(app_of(container));
        }
        const std::size_t allowed = apps_here.size() * 4;
        if (node->engine().network_names().size() > allowed) {
            std::string names;
            for (const std::string& name : node->engine().network_names()) names += " " + name;
            return world_.fail(node->name() + " keeps networks of applications that are gone:" + names);
        }
    }
    for (const auto& [key, containers] : found) {
        const AppModel* app = user_.find(key.first);
        const bool wanted =
            app != nullptr && app->phase == AppModel::Phase::live && app->acknowledged.find(key.second);
        if (wanted) continue;
        return world_.fail(
            "orphan: container " + containers.front().second->state.id + " of " + key.first + "/" +
            key.second + " on " + containers.front().first
        );
    }
    for (const auto& [name, app] : user_.apps()) {
        if (app.phase != AppModel::Phase::live) continue;
        for (const ComponentSpec& component : app.acknowledged.components) {
            const std::string what =
                name + "/" + component.name + " (revision " + std::to_string(component.revision) + ")";
            std::size_t good = 0;
            std::size_t other = 0;
            std::string seen;
            for (const auto& [node, container] : found[{name, component.name}]) {
                const bool same = container->revision == std::to_string(component.revision);
                const std::string& state = container->state.state;
                bool right = same && container->is_healthy();
                if (component.image == "crash" || component.image == "sick") right = same;
                if (component.image == "job")
                    right = same && state == "exited" &&
                            (container->state.exit_code == 0 || container->state.exit_code == kKilled);
                if (!app.running) right = same && !container->is_up();
                // What an update returned to may itself be sick, or have ended.
                const bool is_taken_back =
                    taken_back_.contains({name, component.name, std::to_string(component.revision)});
                if (is_taken_back && !same) right = app.running || !container->is_up();
                // A stop that came amid an update leaves both revisions, stopped: the start goes on with it.
                if (!app.running && !same && !container->is_up()) continue;
                (right ? good : other) += 1;
                seen += " [" + node + " " + container->state.id + " rev " + container->revision + " " +
                        state + " " + container->state.health + "]";
            }
            const std::size_t unplaced = homeless[{name, component.name}];
            std::size_t expected = component.replicas() - std::min(component.replicas(), unplaced);
            if (component.image == "absent") expected = 0;
            // A stopped application may never have had containers.
            const bool enough = good == expected || (!app.running && good <= expected);
            if (!enough || other != 0) {
                return world_.fail(
                    what + (app.running ? "" : ", stopped,") + " should have " + std::to_string(expected) +
                    " containers, there are:" + (seen.empty() ? " none" : seen)
                );
            }
        }
    }
    world_.count("check.settled");
}

}  // namespace icos::sim
