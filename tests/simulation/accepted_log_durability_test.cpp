// SPDX-License-Identifier: Apache-2.0
// The agent's accepted set on a disk that forgets: power is lost between any two changes of the disk.
#include "agent/accepted_log.hpp"
#include "icos/core/log.hpp"
#include "process.hpp"
#include "sim_disk.hpp"

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

/// Several lives that each end in a power loss; "" if no accepted set got lost.
std::string lose_power_again_and_again(
    std::uint64_t seed, const std::string& ignored, std::set<std::string>* syncs
) {
    configure_logging(LogSettings{LogLevel::error, LogFormat::text, false});
    World world(seed);
    Machine machine{.name = "edge", .boot_id = "boot"};
    auto ledger = std::make_shared<SyncLedger>();
    ledger->ignored = ignored;
    auto disk = std::make_unique<SimDisk>("agent", ledger);
    Rng rng = world.rng().fork("test");
    Told told;
    int next = 0;
    for (int number = 1; number <= 5; ++number) {
        std::unique_ptr<SimDisk> survivor;
        {
            Life life(world, machine, *disk, number);
            const auto die = [&] { survivor = disk->after(Ending::power_loss, rng); };
            disk->arm(1 + rng.below(rng.one_in(2) ? 12 : 120), [&] {
                die();
                life.process.arm_crash(0, [&life] { life.process.begin_dying(); });
            });
            life.process.spawn("work", work(life, told, next, seed % 2 == 0));
            world.run_until(world.now() + 60s);
            disk->disarm();
            if (!survivor) die();
            life.process.begin_dying();
            life.process.drain([] { return false; });
            if (!life.problem.empty()) return life.problem;
        }
        disk = std::move(survivor);
    }
    if (syncs != nullptr) {
        for (const auto& [name, calls] : ledger->called) syncs->insert(name);
    }
    return {};
}

}  // namespace

TEST_CASE("an accepted set survives a power loss between any two changes of the disk", "[simulation]") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        CHECK(lose_power_again_and_again(seed, "", nullptr) == "");
    }
}

TEST_CASE("the accepted log loses a set when any one of its syncs does nothing", "[simulation]") {
    std::set<std::string> syncs;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) lose_power_again_and_again(seed, "", &syncs);
    CHECK(syncs == std::set<std::string>{"agent.accepted_log", "agent.accepted_log_new", "agent.directory"});
    for (const std::string& name : syncs) {
        bool lost = false;
        for (std::uint64_t seed = 1; seed <= 100 && !lost; ++seed) {
            lost = !lose_power_again_and_again(seed, name, nullptr).empty();
        }
        INFO(name);
        CHECK(lost);
    }
}
