// SPDX-License-Identifier: Apache-2.0
// icos-sim: runs seeds of the simulation, prints how often each fault fired, and for a failing seed its trace
// and the command that reproduces it.
#include "faults.hpp"
#include "simulation.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <limits>
#include <malloc.h>
#include <map>
#include <string>

namespace {

using namespace icos::sim;

void print_failure(const SimulationResult& result, std::size_t lines) {
    const std::size_t skip = result.trace.size() > lines ? result.trace.size() - lines : 0;
    for (std::size_t i = skip; i < result.trace.size(); ++i) fmt::print("  {}\n", result.trace[i]);
    fmt::print("FAILED: {}\nreproduce with: {} --trace\n", result.failure, result.command);
}

void print_counters(const std::map<std::string, std::uint64_t>& counters) {
    for (const auto& [name, count] : counters) fmt::print("{:>8}  {}\n", count, name);
}

int run(int argc, char** argv) {
    SimulationSettings settings;
    std::uint64_t first = 1;
    std::uint64_t count = 1;
    double hours = 0;
    std::size_t lines = 200;
    bool all_faults = false;
    bool twice = false;
    bool stop = false;
    bool no_faults = false;
    bool some_faults = false;
    bool varied = false;

    CLI::App app(
        "Runs a controller, its nodes and a user on virtual time, breaks things, and checks that what was "
        "promised "
        "holds.\nAll that happens follows from the seed: a seed that fails does so every time, on every "
        "machine.",
        "icos-sim"
    );
    app.footer(
        "Examples:\n"
        "  icos-sim --seed 17                    one simulated hour of 50 nodes\n"
        "  icos-sim --seed 1 --count 100 --stop  a hundred of them, up to the first that fails\n"
        "  icos-sim --seed 17 --trace            what happens, line by line\n"
        "Exit code: 0 nothing was broken, 1 an invariant was broken, others: usage."
    );
    app.add_option("--seed", first, "First seed")->capture_default_str();
    app.add_option("--count", count, "How many seeds, from the first one on")->capture_default_str();
    app.add_option("--minutes", settings.minutes, "Simulated minutes, before the system settles")
        ->capture_default_str();
    app.add_option("--hours", hours, "The same in hours");
    app.add_option("--agents", settings.agents, "Number of nodes")->capture_default_str();
    CLI::Option* vary_flag = app.add_flag(
        "--vary",
        varied,
        "Draw nodes, minutes and kinds of faults from the seed: mostly few, sometimes as many as given"
    );
    app.add_option("--ignore-sync", settings.ignore_sync, "Name of one sync that does nothing");
    app.add_option("--lines", lines, "Lines of trace printed for a failing seed")->capture_default_str();
    app.add_flag("--trace", settings.print_trace, "Print what happens");
    app.add_flag("--require-all-faults", all_faults, "Fail if a kind of fault never fired");
    app.add_flag("--stop", stop, "Stop at the first seed that fails");
    app.add_flag("--twice", twice, "Run each seed twice and compare the hashes of the traces");
    app.add_flag("--some-faults", some_faults, "Only some kinds of faults, drawn from the seed")
        ->excludes(vary_flag);
    app.add_flag("--no-faults", no_faults, "Nothing breaks");
    CLI11_PARSE(app, argc, argv);
    if (hours > 0) settings.minutes = static_cast<unsigned>(hours * 60);
    settings.faults = !no_faults;
    settings.all_kinds = !some_faults;

    std::map<std::string, std::uint64_t> totals;
    if (settings.faults) {
        for (const std::string& kind : Faults::kinds()) totals[kind] = 0;
    }
    std::uint64_t failed = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        settings.seed = seed;
        const SimulationSettings drawn = varied ? vary(settings) : settings;
        const SimulationResult result = simulate(drawn);
        for (const auto& [name, times] : result.counters) totals[name] += times;
        for (const auto& [name, times] : result.syncs) totals["sync." + name] += times;
        fmt::print(
            "seed {}: {} trace {:016x}, {} applies, {} events, {} handlers\n",
            seed,
            result.ok ? "ok" : "FAILED",
            result.trace_hash,
            result.applies,
            result.events,
            result.handlers
        );
        if (!result.ok) {
            ++failed;
            print_failure(result, lines);
        }
        if (twice && simulate(drawn).trace_hash != result.trace_hash) {
            ++failed;
            fmt::print("FAILED: seed {} took another course the second time\n", seed);
        }
        std::fflush(stdout);
        if (stop && failed > 0) break;
    }
    print_counters(totals);
    if (all_faults) {
        for (const std::string& kind : Faults::kinds()) {
            if (totals[kind] > 0) continue;
            ++failed;
            fmt::print("FAILED: {} never fired\n", kind);
        }
    }
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    // Seeds end as they began: what one gave back the next one needs, so nothing goes back to the kernel.
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        fmt::print("FAILED: an answer was not what it should be: {}\n", error.what());
        return 1;
    }
}
