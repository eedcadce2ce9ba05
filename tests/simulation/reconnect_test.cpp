// SPDX-License-Identifier: Apache-2.0
// Everybody comes back at once: a controller that was away, and a thousand agents with nothing new to say.
#include "app_spec.hpp"
#include "continuum.hpp"
#include "icos/core/log.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

using namespace icos;
using namespace icos::sim;

namespace {

constexpr unsigned kAgents = 1000;
constexpr int kApps = 40;
constexpr std::size_t kReport = 512;  ///< of one placement, with its container
constexpr unsigned char kPing = 6;
constexpr unsigned char kPong = 7;

/// Counts what goes over the links, from `begin` on.
class Meter {
public:
    explicit Meter(Continuum& continuum) {
        continuum.network().observe([this, &continuum](const SimNetwork::SentFrame& frame) {
            const bool by_node = frame.to_host == kControllerHost;
            const std::string& node = by_node ? frame.from_host : frame.to_host;
            if (frame.bytes.find("\"type\":\"welcome\"") != std::string_view::npos)
                welcomed_[node] = continuum.world().now();
            if (frame.bytes.find("\"type\":\"desired\"") != std::string_view::npos) ++sets_sent_;
            const auto type = frame.bytes.size() > 1 ? static_cast<unsigned char>(frame.bytes[1]) : 0;
            // Keeping a link alive costs the same whether it is new or old.
            if (type == kPing || type == kPong) return;
            bytes_[node] += frame.bytes.size();
            frames_[node] += fmt::format("{} {}\n", by_node ? "->" : "<-", frame.bytes.substr(8, 700));
        });
    }
    void begin() {
        bytes_.clear();
        frames_.clear();
        welcomed_.clear();
        sets_sent_ = 0;
    }
    std::size_t welcomed() const { return welcomed_.size(); }
    SimTime last_welcome() const {
        SimTime last{};
        for (const auto& [node, at] : welcomed_) last = std::max(last, at);
        return last;
    }
    std::size_t most_bytes() const { return bytes_.empty() ? 0 : bytes_.at(busiest()); }
    /// What the node with the most bytes said and was told.
    const std::string& most_talkative() const { return frames_.at(busiest()); }
    std::size_t sets_sent() const { return sets_sent_; }

private:
    const std::string& busiest() const {
        return std::max_element(
                   bytes_.begin(),
                   bytes_.end(),
                   [](const auto& a, const auto& b) { return a.second < b.second; }
        )->first;
    }
    std::map<std::string, std::size_t> bytes_;
    std::map<std::string, std::string> frames_;
    std::map<std::string, SimTime> welcomed_;
    std::size_t sets_sent_ = 0;
};

std::map<std::string, std::size_t> states_of_nodes(Continuum& continuum) {
    std::map<std::string, std::size_t> states;
    continuum.user().admin(http::Method::get, "/api/v1/nodes", "", [&states](const http::Response& response) {
        const boost::json::value body = boost::json::parse(response.body);
        for (const boost::json::value& node : body.at("items").as_array())
            ++states[std::string(node.at("state").as_string())];
    });
    continuum.world().run_until(continuum.world().now() + 200ms);
    return states;
}

void deploy(Continuum& continuum) {
    for (int i = 1; i <= kApps; ++i) {
        AppSpec spec;
        for (const char* name : {"front", "back"}) {
            ComponentSpec component;
            component.name = name;
            component.revision = static_cast<std::uint64_t>(i);
            component.cpu_milli = 1500;
            spec.components.push_back(component);
        }
        const std::string app = fmt::format("app-{}", i);
        continuum.user().admin(
            http::Method::put,
            "/api/v1/apps/" + app,
            descriptor_of(app, spec),
            [&continuum, app](const http::Response& response) {
                if (response.status >= 300) continuum.world().fail(app + ": " + response.body);
            }
        );
    }
}

std::size_t running(Continuum& continuum) {
    std::size_t count = 0;
    for (const auto& node : continuum.nodes()) {
        for (const auto& [id, container] : node->engine().containers())
            count += container.is_healthy() ? 1 : 0;
    }
    return count;
}

/// Runs the minute after `back_at`. How many nodes were seen lost, every five seconds.
std::size_t run_minute(Continuum& continuum, SimTime back_at) {
    std::size_t lost = 0;
    for (int second = 5; second <= 60; second += 5) {
        continuum.world().run_until(back_at + std::chrono::seconds(second));
        lost += states_of_nodes(continuum)["lost"];
    }
    return lost;
}

void check_all_are_back(Continuum& continuum, const Meter& meter, SimTime back_at) {
    INFO(meter.most_talkative());
    CHECK(continuum.world().failure() == "");
    CHECK(states_of_nodes(continuum) == std::map<std::string, std::size_t>{{"ready", kAgents}});
    CHECK(meter.welcomed() == kAgents);
    CHECK(meter.last_welcome() - back_at < 60s);
    CHECK(meter.sets_sent() == 0);
    CHECK(running(continuum) == 2 * kApps);
}

void cut_all(Continuum& continuum, bool cut) {
    SimNetwork& network = continuum.network();
    for (const auto& node : continuum.nodes()) {
        for (const auto& [from, to] :
             {std::pair(node->name(), kControllerHost), {kControllerHost, node->name()}}) {
            if (cut) network.cut(from, to);
            if (!cut) network.heal(from, to);
        }
    }
}

}  // namespace

TEST_CASE(
    "peers 36: a thousand agents are ready within a minute after an outage, with less than 1 KiB each",
    "[simulation][scale]"
) {
    configure_logging(LogSettings{LogLevel::error, LogFormat::text, false});
    Continuum continuum(36, kAgents);
    World& world = continuum.world();
    continuum.join_all();
    deploy(continuum);
    world.run_until(world.now() + 90s);
    REQUIRE(world.failure() == "");
    REQUIRE(running(continuum) == 2 * kApps);
    std::size_t acts = 0;
    for (const auto& node : continuum.nodes())
        node->engine().observe([&acts](const SimEngine::Change&) { ++acts; });
    Meter meter(continuum);

    // Nobody reaches the controller, for as long as any agent ever waits between two attempts, and for longer
    // than a lease.
    cut_all(continuum, true);
    world.run_until(world.now() + 90s);
    meter.begin();
    const SimTime healed_at = world.now();
    cut_all(continuum, false);
    run_minute(continuum, healed_at);
    check_all_are_back(continuum, meter, healed_at);
    CHECK(meter.most_bytes() < 1024);

    // The controller itself was away. What runs where it does not store: it is told, once.
    SimTime serving_at{-1};
    continuum.controller().on_serving([&] { serving_at = world.now(); });
    continuum.controller().crash(Ending::power_loss, 90s);
    world.run_until(world.now() + 90s - 1ms);
    meter.begin();
    while (serving_at < SimTime::zero() && world.step()) {
    }
    const std::size_t lost = run_minute(continuum, serving_at);
    check_all_are_back(continuum, meter, serving_at);
    CHECK(lost == 0);
    CHECK(meter.most_bytes() < 1024 + kReport);

    CHECK(acts == 0);
}
