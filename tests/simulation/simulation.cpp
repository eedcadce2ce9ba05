// SPDX-License-Identifier: Apache-2.0
#include "simulation.hpp"

#include "faults.hpp"
#include "icos/agent/protocol.hpp"
#include "icos/core/log.hpp"
#include "invariants.hpp"
#include "sim_controller.hpp"
#include "sim_network.hpp"
#include "sim_node.hpp"
#include "sim_user.hpp"
#include "sim_vfs.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <memory>
#include <vector>

namespace icos::sim {
namespace {

constexpr SimTime kSettle = 12min;

/// The zones nodes are labelled with. "heavy" has one node; "a" and "b" are small enough to become full.
std::string zone_of(unsigned index) {
    if (index == 0) return "heavy";
    if (index <= 4) return "a";
    if (index <= 8) return "b";
    return "";
}

class Run {
public:
    explicit Run(const SimulationSettings& settings)
        : settings_(settings),
          world_(settings.seed),
          ledger_(std::make_shared<SyncLedger>()),
          network_(world_),
          controller_(world_, network_, ledger_),
          user_(world_, controller_),
          invariants_(world_, network_, user_),
          faults_(world_, network_, controller_, nodes_) {
        world_.print_trace(settings.print_trace);
        ledger_->ignored = settings.ignore_sync;
        seed_sqlite(settings.seed);
        for (unsigned i = 0; i < settings.agents; ++i) {
            auto node =
                std::make_unique<SimNode>(world_, network_, ledger_, fmt::format("edge-{:02}", i + 1));
            invariants_.watch(*node);
            nodes_.push_back(std::move(node));
        }
    }

    SimulationResult run() {
        const SimTime end = std::chrono::minutes(settings_.minutes);
        controller_.on_serving([this] { user_.check_list(); });
        controller_.boot();
        const std::vector<std::string> zones = {"heavy", "a", "b", ""};
        for (const std::string& zone : zones) get_token(zone);
        world_.run_until(30s);
        if (!world_.failed() && joined_ != nodes_.size())
            world_.fail("only " + std::to_string(joined_) + " nodes joined");
        user_.begin();
        if (settings_.faults) faults_.plan(60s, end);
        check_lists_until(end);
        world_.run_until(end);

        world_.trace("faults end");
        user_.rest();
        faults_.heal();
        world_.run_until(end + kSettle);
        if (!world_.failed() && !user_.is_idle())
            world_.fail("a request of the user is not done: " + unsettled());
        check_end();
        return result();
    }

private:
    void get_token(const std::string& zone) {
        boost::json::object labels;
        if (!zone.empty()) labels["zone"] = zone;
        const boost::json::object body{
            {"expires_in", "10h"},
            {"uses", 100},
            {"cluster", zone.empty() ? "site" : "site-" + zone},
            {"labels", labels}
        };
        user_.admin(
            http::Method::post,
            "/api/v1/tokens",
            boost::json::serialize(body),
            [this, zone](const http::Response& response) {
                if (response.status != 201) return world_.fail("no join token: " + response.body);
                const std::string token(boost::json::parse(response.body).at("token").as_string());
                for (unsigned i = 0; i < nodes_.size(); ++i) {
                    if (zone_of(i) == zone) join(*nodes_[i], token);
                }
            }
        );
    }

    void join(SimNode& node, const std::string& token) {
        agent::JoinRequest wish;
        wish.token = token;
        wish.name = node.name();
        wish.facts = node.facts();
        http::Request request;
        request.method = http::Method::post;
        request.path = "/agent/v1/join";
        request.body = agent::encode(wish);
        request.caller.subject = "agent:key-" + node.name();
        request.caller.role = http::Role::agent;
        request.caller.peer =
            http::PeerKey{"key-" + node.name(), node.name(), "spki-" + node.name(), 0, false};
        controller_.request(node.name(), std::move(request), [this, &node](const http::Response& response) {
            const auto answer = agent::decode<agent::JoinAnswer>(response.body);
            if (response.status >= 300 || answer.has_error()) {
                return world_.fail(
                    node.name() + " cannot join: " + std::to_string(response.status) + " " + response.body
                );
            }
            node.joined(answer->node_id);
            node.start_agent();
            ++joined_;
        });
    }

    void check_lists_until(SimTime end) {
        for (SimTime at = 1min; at < end + kSettle; at += 1min) {
            world_.at(at, nullptr, [this] {
                if (controller_.is_serving()) user_.check_list();
            });
        }
    }

    std::string unsettled() const {
        std::string names;
        for (const auto& [name, app] : user_.apps()) {
            if (!app.is_settled())
                names += name + (app.phase == AppModel::Phase::deleting ? " (deleting) " : " ");
        }
        return names;
    }

    void check_secrets() {
        if (controller_.disk().holds(kSecretMark)) world_.fail("a secret is on the controller's disk");
        for (const auto& node : nodes_) {
            if (node->disk().holds(kSecretMark)) world_.fail("a secret is on the disk of " + node->name());
        }
    }

    void check_end() {
        if (world_.failed()) return;
        check_secrets();
        bool answered = false;
        user_.check_list();
        user_.admin(http::Method::get, "/api/v1/apps", "", [this, &answered](const http::Response& response) {
            answered = true;
            invariants_.check_settled(nodes_, response.body);
        });
        user_.admin(http::Method::get, "/api/v1/nodes", "", [this](const http::Response& response) {
            const boost::json::value nodes = boost::json::parse(response.body);
            for (const boost::json::value& item : nodes.at("items").as_array()) {
                if (item.at("state").as_string() == "ready") continue;
                return world_.fail(
                    "node " + std::string(item.at("name").as_string()) + " is not ready at the end"
                );
            }
        });
        world_.run_until(world_.now() + 60s);
        if (!answered) world_.fail("the controller does not answer at the end");
    }

    SimulationResult result() {
        SimulationResult result;
        result.ok = !world_.failed();
        result.failure = world_.failure();
        result.trace_hash = world_.trace_hash();
        result.events = world_.events();
        result.handlers = world_.handlers();
        result.applies = user_.applies();
        result.counters = world_.counters();
        result.syncs = ledger_->called;
        result.trace = world_.recent();
        result.command = fmt::format(
            "icos-sim --seed {} --minutes {} --agents {}{}",
            settings_.seed,
            settings_.minutes,
            settings_.agents,
            settings_.ignore_sync.empty() ? "" : " --ignore-sync " + settings_.ignore_sync
        );
        return result;
    }

    SimulationSettings settings_;
    World world_;
    std::shared_ptr<SyncLedger> ledger_;
    SimNetwork network_;
    SimController controller_;
    std::vector<std::unique_ptr<SimNode>> nodes_;
    SimUser user_;
    Invariants invariants_;
    Faults faults_;
    std::size_t joined_ = 0;
};

}  // namespace

SimulationResult simulate(const SimulationSettings& settings) {
    configure_logging(LogSettings{LogLevel::error, LogFormat::text, settings.print_trace});
    Run run(settings);
    return run.run();
}

}  // namespace icos::sim
