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
};

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
