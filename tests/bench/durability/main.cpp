// SPDX-License-Identifier: Apache-2.0
// What tests/bench/run.sh durability measures with.
//   icos-durability-bench file-system DIRECTORY             its type and the median of a sync: "ext4 0.412"
//   icos-durability-bench apply SOCKET CLIENTS APPLIES      seconds and milliseconds of an apply (median,
//   99th percentile) icos-durability-bench replay DATABASE DIRECTORY         applies, groups, seconds through
//   plain SQLite
#include "applies.hpp"
#include "file_system.hpp"
#include "recording.hpp"

#include <cstdio>
#include <exception>
#include <string>

int main(int argc, char** argv) {
    using namespace icos::bench;
    const std::string verb = argc > 1 ? argv[1] : "";
    try {
        if (verb == "file-system" && argc == 3) {
            std::printf("%s %.3f\n", file_system_of(argv[2]).c_str(), median_sync_ms(argv[2]));
        } else if (verb == "apply" && argc == 5) {
            const ApplyFigures figures = apply_all({argv[2], std::stoul(argv[3]), std::stoul(argv[4])});
            const auto at = [&](double share) {
                return figures.latencies_ms[static_cast<std::size_t>(
                    share * static_cast<double>(figures.latencies_ms.size() - 1)
                )];
            };
            std::printf("%.3f %.2f %.2f\n", figures.seconds, at(0.5), at(0.99));
        } else if (verb == "replay" && argc == 4) {
            const Recording recording = read_recording(argv[2]);
            const double seconds = replay(recording, argv[3]);
            std::printf("%zu %zu %.3f\n", recording.applies, recording.groups.size(), seconds);
        } else {
            std::fputs(
                "usage: icos-durability-bench file-system DIR | apply SOCKET CLIENTS APPLIES | replay "
                "DATABASE DIR\n",
                stderr
            );
            return 2;
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "icos-durability-bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
