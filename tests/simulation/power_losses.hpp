// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/log.hpp"
#include "process.hpp"
#include "sim_disk.hpp"

#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace icos::sim {

/// Several lives of an agent that each end in a power loss between two changes of its disk, half of them
/// within `soon` changes, the others within `late`; what is wrong, or "".
///
/// Life is made of (World&, Machine&, SimDisk&, int number) and has a SimProcess `process` and a std::string
/// `problem`. `work(life)` compares what it finds with what it was told before, and goes on changing it. The
/// sync named `ignored` does nothing; the names of those called are added to `syncs`, if given.
template <class Life, class Work>
std::string lose_power_again_and_again(
    std::uint64_t seed,
    const std::string& ignored,
    std::set<std::string>* syncs,
    std::uint64_t soon,
    std::uint64_t late,
    Work work
) {
    configure_logging(LogSettings{LogLevel::error, LogFormat::text, false});
    World world(seed);
    Machine machine{.name = "edge", .boot_id = "boot"};
    auto ledger = std::make_shared<SyncLedger>();
    ledger->ignored = ignored;
    auto disk = std::make_unique<SimDisk>("agent", ledger);
    static_cast<void>(disk->make_directory("state"));
    Rng rng = world.rng().fork("test");
    for (int number = 1; number <= 5; ++number) {
        std::unique_ptr<SimDisk> survivor;
        {
            Life life(world, machine, *disk, number);
            const auto die = [&] { survivor = disk->after(Ending::power_loss, rng); };
            disk->arm(1 + rng.below(rng.one_in(2) ? soon : late), [&] {
                die();
                life.process.arm_crash(0, [&life] { life.process.begin_dying(); });
            });
            life.process.spawn("work", work(life));
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

}  // namespace icos::sim
