// SPDX-License-Identifier: Apache-2.0
// The agent's accepted set on a disk that forgets: power is lost between any two changes of the disk.
#include "agent/accepted_log.hpp"
#include "power_losses.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <set>
#include <string>

using namespace icos;
using namespace icos::sim;

namespace {

struct Told {
    std::string accepted = agent::desired_digest({});  ///< what the log said is durable
    std::string asked = accepted;                      ///< what it was given last
};

struct Life {
    Life(World& world, Machine& machine, SimDisk& disk, int number)
        : process(world, machine, fmt::format("agent {}", number)), log(process, disk, "state") {}
    SimProcess process;
    agent::AcceptedLog log;
    std::string problem{};
};

/// Sets of a few placements; some are so large that the log is soon written anew.
agent::AcceptedSet make_set(int number, std::size_t bytes) {
    agent::AcceptedSet set;
    for (int i = 0; i < 3; ++i) {
        agent::DesiredPlacement placement;
        placement.placement = PlacementId{fmt::format("p-{}", i)};
        placement.app = "app";
        placement.component = "web";
        placement.generation = static_cast<std::uint64_t>(number);
        placement.digest = fmt::format("digest-{}-{}", i, number);
        placement.environment["PADDING"] = std::string(bytes, 'x');
        set.emplace(placement.placement, placement);
    }
    return set;
}

Task<> work(Life& life, Told& told, int& next, bool heavy) {
    const Result<void> opened =
        co_await life.log.open(std::make_shared<const Seal>(std::string(Seal::kKeyBytes, 'k')));
    if (life.process.dead()) co_return;
    if (opened.has_error()) {
        life.problem = "cannot be opened: " + describe(opened.error());
        co_return;
    }
    const std::string found = life.log.digest();
    if (found != told.accepted && found != told.asked) life.problem = "an accepted set is lost";
    if (found != agent::desired_digest(life.log.set())) life.problem = "the set does not have its digest";
    told.accepted = told.asked = found;
    for (int i = 0; i < 60 && life.problem.empty(); ++i) {
        agent::AcceptedSet set = make_set(++next, heavy ? 50'000 : 200);
        told.asked = agent::desired_digest(set);
        std::string digest = told.asked;
        const Result<void> accepted = co_await life.log.accept(std::move(set), std::move(digest));
        if (life.process.dead()) co_return;
        if (!accepted.has_error()) told.accepted = told.asked;
    }
}

/// "" if no accepted set got lost.
std::string lose_power(std::uint64_t seed, const std::string& ignored, std::set<std::string>* syncs) {
    Told told;
    int next = 0;
    return lose_power_again_and_again<Life>(seed, ignored, syncs, 12, 120, [&](Life& life) {
        return work(life, told, next, seed % 2 == 0);
    });
}

}  // namespace

TEST_CASE("an accepted set survives a power loss between any two changes of the disk", "[simulation]") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        CHECK(lose_power(seed, "", nullptr) == "");
    }
}

TEST_CASE("the accepted log loses a set when any one of its syncs does nothing", "[simulation]") {
    std::set<std::string> syncs;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) lose_power(seed, "", &syncs);
    CHECK(syncs == std::set<std::string>{"agent.accepted_log", "agent.accepted_log_new", "agent.directory"});
    for (const std::string& name : syncs) {
        bool lost = false;
        for (std::uint64_t seed = 1; seed <= 100 && !lost; ++seed) {
            lost = !lose_power(seed, name, nullptr).empty();
        }
        INFO(name);
        CHECK(lost);
    }
}
