// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace icos::fleet {
struct NodeLink;

/// What happened on links since the controller started.
struct LinkCounters {
    std::uint64_t connects = 0;
    std::uint64_t reconnects = 0;
    std::uint64_t refused = 0;
    std::uint64_t replaced = 0;
    std::uint64_t certificates_renewed = 0;
    std::uint64_t desired_full = 0;
    std::uint64_t desired_step = 0;
    std::uint64_t resend_asked = 0;  ///< by nodes
    std::uint64_t repeats = 0;       ///< no answer came
    std::uint64_t observed_full = 0;
    std::uint64_t observed_step = 0;
    std::uint64_t observed_asked = 0;  ///< by us
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;

    /// Adds what a link counts itself; once per link, when it ends.
    void add(const NodeLink& link);
};

/// Prometheus text.
std::string to_prometheus(const LinkCounters& counters, std::size_t links);

}  // namespace icos::fleet
