// SPDX-License-Identifier: Apache-2.0
// The secrets of a node's containers on a disk that forgets: power is lost between any two changes of the
// disk.
#include "agent/secret_store.hpp"
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

constexpr const char* kState = "state";
constexpr const char* kMemory = "memory";

struct Told {
    std::string content;  ///< what a container may have mounted: provide() returned
    std::string asked;    ///< what provide() was given last
};

struct Life {
    Life(World& world, Machine& machine, SimDisk& sim_disk, int number)
        : process(world, machine, fmt::format("agent {}", number)),
          disk(sim_disk),
          store(process, sim_disk, kState, kMemory) {}
    SimProcess process;
    SimDisk& disk;
    agent::SecretStore store;
    std::string problem{};
};

agent::SecretFile file_with(const std::string& content) {
    const PlacementId placement{"p"};
    return {agent::secrets_folder(placement, "digest") + "/file", content, 0444, {}, {}};
}

Task<> work(Life& life, Told& told, int& next) {
    Result<Seal> key = load_seal_key(life.disk, {{}, kState});
    if (key.has_error()) key = write_seal_key(life.disk, kState, random_seal_key(life.process));
    if (life.process.dead()) co_return;
    if (key.has_error()) {
        life.problem = "no key: " + describe(key.error());
        co_return;
    }
    const Result<void> opened = co_await life.store.open(std::make_shared<const Seal>(std::move(*key)));
    if (life.process.dead()) co_return;
    if (opened.has_error()) {
        life.problem = "cannot be opened: " + describe(opened.error());
        co_return;
    }
    const std::string path = std::string(kMemory) + "/" + file_with({}).source;
    const Result<std::string> found = life.disk.read_all(path);
    const std::string content = found.has_value() && life.store.size() > 0 ? *found : std::string();
    if (content != told.content && content != told.asked) life.problem = "a secret is lost";
    told.content = told.asked = content;
    for (int i = 0; i < 20 && life.problem.empty(); ++i) {
        told.asked = fmt::format("{:0>700}", ++next);
        std::vector<agent::SecretFile> files{file_with(told.asked)};
        const Result<void> provided = co_await life.store.provide(std::move(files));
        if (life.process.dead()) co_return;
        if (provided.has_value()) told.content = told.asked;
    }
}

/// Several lives that each end in a power loss; "" if no secret that was provided got lost.
std::string lose_power_again_and_again(
    std::uint64_t seed, const std::string& ignored, std::set<std::string>* syncs
) {
    configure_logging(LogSettings{LogLevel::error, LogFormat::text, false});
    World world(seed);
    Machine machine{.name = "edge", .boot_id = "boot"};
    auto ledger = std::make_shared<SyncLedger>();
    ledger->ignored = ignored;
    auto disk = std::make_unique<SimDisk>("agent", ledger);
    static_cast<void>(disk->make_directory(kState));
    Rng rng = world.rng().fork("test");
    Told told;
    int next = 0;
    for (int number = 1; number <= 5; ++number) {
        std::unique_ptr<SimDisk> survivor;
        {
            Life life(world, machine, *disk, number);
            const auto die = [&] { survivor = disk->after(Ending::power_loss, rng); };
            disk->arm(1 + rng.below(rng.one_in(2) ? 20 : 150), [&] {
                die();
                life.process.arm_crash(0, [&life] { life.process.begin_dying(); });
            });
            life.process.spawn("work", work(life, told, next));
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

TEST_CASE("a provided secret survives a power loss between any two changes of the disk", "[simulation]") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        CHECK(lose_power_again_and_again(seed, "", nullptr) == "");
    }
}

TEST_CASE("a node loses a secret when any one of the syncs behind it does nothing", "[simulation]") {
    std::set<std::string> syncs;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) lose_power_again_and_again(seed, "", &syncs);
    CHECK(
        syncs == std::set<std::string>{"agent.directory", "agent.seal_key_new", "agent.secrets_sealed_new"}
    );
    for (const std::string& name : syncs) {
        bool lost = false;
        for (std::uint64_t seed = 1; seed <= 100 && !lost; ++seed) {
            lost = !lose_power_again_and_again(seed, name, nullptr).empty();
        }
        INFO(name);
        CHECK(lost);
    }
}
