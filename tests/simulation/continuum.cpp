// SPDX-License-Identifier: Apache-2.0
#include "continuum.hpp"

#include "icos/agent/protocol.hpp"
#include "sim_vfs.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace icos::sim {

namespace {

std::vector<std::string> names(unsigned agents) {
    std::vector<std::string> names;
    for (unsigned i = 0; i < agents; ++i) names.push_back(fmt::format("edge-{:02}", i + 1));
    return names;
}

}  // namespace

std::string Continuum::zone_of(std::size_t index) {
    if (index == 0) return "heavy";
    if (index <= 4) return "a";
    if (index <= 8) return "b";
    return "";
}

Continuum::Continuum(std::uint64_t seed, unsigned agents, const std::string& ignore_sync)
    : world_(seed),
      ledger_(std::make_shared<SyncLedger>()),
      network_(world_),
      controller_(world_, network_, ledger_),
      user_(world_, controller_, names(agents)) {
    ledger_->ignored = ignore_sync;
    seed_sqlite(seed);
    for (std::string& name : names(agents))
        nodes_.push_back(std::make_unique<SimNode>(world_, network_, ledger_, std::move(name)));
}

void Continuum::join_all() {
    controller_.boot();
    for (const char* zone : {"heavy", "a", "b", ""}) join_zone(zone);
    world_.run_until(30s);
    if (!world_.failed() && joined_ != nodes_.size())
        world_.fail("only " + std::to_string(joined_) + " nodes joined");
}

void Continuum::join_zone(const std::string& zone) {
    boost::json::object labels;
    if (!zone.empty()) labels["zone"] = zone;
    const boost::json::object body{
        {"expires_in", "10h"},
        {"uses", 1000},
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
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                if (zone_of(i) == zone) join(*nodes_[i], token);
            }
        }
    );
}

void Continuum::join(SimNode& node, const std::string& token) {
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
    request.caller.peer = http::PeerKey{"key-" + node.name(), node.name(), "spki-" + node.name(), 0, false};
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

}  // namespace icos::sim
