// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace icos::bench {

struct ApplyLoad {
    std::string socket;       ///< the controller's Unix socket
    std::size_t clients = 1;  ///< each with a connection of its own and one request at a time
    std::size_t applies = 1;  ///< of each client
};
struct ApplyFigures {
    double seconds = 0;                ///< from the first request to the last answer
    std::vector<double> latencies_ms;  ///< sorted
};
/// Applies descriptors, each with a text of its own, so that every answer waits for a commit. No application
/// gets more generations than are kept: nothing is removed. Throws std::runtime_error if one answer is not
/// 200 or 201.
ApplyFigures apply_all(const ApplyLoad& load);

}  // namespace icos::bench
