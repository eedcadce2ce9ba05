// SPDX-License-Identifier: Apache-2.0
#include "file_system.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace icos::bench {

std::string file_system_of(const std::string& directory) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(
        realpath(directory.c_str(), nullptr), &std::free
    );
    if (!resolved) throw std::runtime_error(directory + ": no such directory");
    const std::string path = resolved.get();
    std::ifstream mounts("/proc/self/mounts");
    std::string line;
    std::string longest;
    std::string type;
    while (std::getline(mounts, line)) {
        std::istringstream words(line);
        std::string device;
        std::string point;
        std::string kind;
        words >> device >> point >> kind;
        const bool holds = path == point || point == "/" || path.starts_with(point + "/");
        // The last mount on a point is the one that is seen.
        if (!holds || point.size() < longest.size()) continue;
        longest = point;
        type = kind;
    }
    return type;
}

double median_sync_ms(const std::string& directory) {
    constexpr int kRounds = 200;
    const std::string path = directory + "/sync-probe";
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) throw std::runtime_error("cannot write " + path);
    const std::string page(4096, 'x');
    std::vector<double> times;
    for (int i = 0; i < kRounds; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        if (write(file, page.data(), page.size()) != static_cast<ssize_t>(page.size()) ||
            fdatasync(file) != 0)
            break;
        times.push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count()
        );
    }
    close(file);
    unlink(path.c_str());
    if (times.size() != kRounds) throw std::runtime_error("cannot sync " + path);
    std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
    return times[kRounds / 2];
}

}  // namespace icos::bench
