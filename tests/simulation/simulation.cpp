// SPDX-License-Identifier: Apache-2.0
#include "simulation.hpp"

#include "continuum.hpp"
#include "faults.hpp"
#include "icos/core/log.hpp"
#include "invariants.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace icos::sim {
namespace {

constexpr SimTime kSettle = 12min;
constexpr std::uint64_t kWholeOneIn = 40;
constexpr std::int64_t kFewest = 6;  ///< every zone has a node

class Run {
public:
    explicit Run(const SimulationSettings& settings)
        : settings_(settings),
          continuum_(settings.seed, settings.agents, settings.ignore_sync),
          world_(continuum_.world()),
          user_(continuum_.user()),
          controller_(continuum_.controller()),
          invariants_(world_, continuum_.network(), user_),
          faults_(world_, continuum_.network(), controller_, continuum_.nodes()) {
        world_.print_trace(settings.print_trace);
        for (const auto& node : continuum_.nodes()) invariants_.watch(*node);
        faults_.on_mass_loss([this](const std::set<std::string>& nodes) { invariants_.on_mass_loss(nodes); });
    }

    SimulationResult run() {
        const SimTime end = std::chrono::minutes(settings_.minutes);
        controller_.on_serving([this] { user_.check_list(); });
        continuum_.join_all();
        user_.begin();
        if (settings_.faults) faults_.plan(60s, end, settings_.all_kinds);
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
        for (const auto& node : continuum_.nodes()) {
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
            invariants_.check_settled(continuum_.nodes(), response.body);
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
        result.syncs = continuum_.syncs().called;
        result.trace = world_.recent();
        result.command = fmt::format(
            "icos-sim --seed {} --minutes {} --agents {}{}{}",
            settings_.seed,
            settings_.minutes,
            settings_.agents,
            settings_.all_kinds ? "" : " --some-faults",
            settings_.ignore_sync.empty() ? "" : " --ignore-sync " + settings_.ignore_sync
        );
        return result;
    }

    SimulationSettings settings_;
    Continuum continuum_;
    World& world_;
    SimUser& user_;
    SimController& controller_;
    Invariants invariants_;
    Faults faults_;
};

}  // namespace

SimulationSettings vary(SimulationSettings settings) {
    Rng rng = Rng(settings.seed).fork("size");
    if (rng.one_in(kWholeOneIn)) return settings;
    settings.agents = static_cast<unsigned>(rng.between(kFewest, 16));
    settings.minutes = static_cast<unsigned>(rng.between(8, 24));
    settings.all_kinds = rng.one_in(8);
    return settings;
}

SimulationResult simulate(const SimulationSettings& settings) {
    configure_logging(LogSettings{LogLevel::error, LogFormat::text, settings.print_trace});
    Run run(settings);
    return run.run();
}

}  // namespace icos::sim
