// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace icos::sim {

struct SimulationSettings {
    std::uint64_t seed = 1;
    unsigned minutes = 60;
    unsigned agents = 50;
    std::string ignore_sync{};  ///< name of the sync that does nothing
    bool print_trace = false;
    bool faults = true;
    bool all_kinds = true;  ///< of faults; else a choice of them
};

/// The seed draws the size too: mostly a few nodes for some minutes and a choice of the faults, where each
/// event meets more of the others; sometimes the whole, as the settings are without this.
SimulationSettings vary(SimulationSettings settings);

struct SimulationResult {
    bool ok = false;
    std::string failure{};
    std::uint64_t trace_hash = 0;
    std::uint64_t events = 0;
    std::uint64_t handlers = 0;
    std::uint64_t applies = 0;
    std::map<std::string, std::uint64_t> counters{};  ///< "fault.…", "check.…", "user.…", "acknowledged.…"
    std::map<std::string, std::uint64_t> syncs{};     ///< name -> calls
    std::deque<std::string> trace{};                  ///< the last lines
    std::string command{};                            ///< what runs this again
};

/// Runs one seed: a controller and its agents join, a user works, things break; then they heal, the system
/// settles, and the last invariants are checked.
SimulationResult simulate(const SimulationSettings& settings);

}  // namespace icos::sim
