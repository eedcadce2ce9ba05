// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace icos::bench {

/// The name of the file system that holds a directory, as /proc/self/mounts has it ("ext4").
std::string file_system_of(const std::string& directory);
/// Milliseconds: the median of 4 KiB appended and synced. Throws std::runtime_error.
double median_sync_ms(const std::string& directory);

}  // namespace icos::bench
