// SPDX-License-Identifier: Apache-2.0
// The secrets of a node's containers on a disk that forgets: power is lost between any two changes of the
// disk.
#include "agent/secret_store.hpp"
#include "power_losses.hpp"

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

/// "" if no secret that was provided got lost.
std::string lose_power(std::uint64_t seed, const std::string& ignored, std::set<std::string>* syncs) {
    Told told;
    int next = 0;
    return lose_power_again_and_again<Life>(seed, ignored, syncs, 20, 150, [&](Life& life) {
        return work(life, told, next);
    });
}

}  // namespace

TEST_CASE("a provided secret survives a power loss between any two changes of the disk", "[simulation]") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        CHECK(lose_power(seed, "", nullptr) == "");
    }
}

TEST_CASE("a node loses a secret when any one of the syncs behind it does nothing", "[simulation]") {
    std::set<std::string> syncs;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) lose_power(seed, "", &syncs);
    CHECK(
        syncs == std::set<std::string>{"agent.directory", "agent.seal_key_new", "agent.secrets_sealed_new"}
    );
    for (const std::string& name : syncs) {
        bool lost = false;
        for (std::uint64_t seed = 1; seed <= 100 && !lost; ++seed) {
            lost = !lose_power(seed, name, nullptr).empty();
        }
        INFO(name);
        CHECK(lost);
    }
}
