// SPDX-License-Identifier: Apache-2.0
// Any file may lie where the accepted log is expected. What is kept of it must read back as the same set.
#include "agent/accepted_log.hpp"

#include <cstdint>
#include <cstdlib>

using namespace icos::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    static const icos::Seal seal(std::string(icos::Seal::kKeyBytes, 'k'));
    const Replay replay = replay_accepted_log(bytes, seal);
    if (replay.end > bytes.size()) std::abort();
    if (replay.digest != desired_digest(replay.set)) std::abort();
    if (replay.cut.empty() != (replay.end == bytes.size())) std::abort();
    const Replay again = replay_accepted_log(bytes.substr(0, replay.end), seal);
    if (again.set != replay.set || again.end != replay.end || !again.cut.empty()) std::abort();
    return 0;
}
