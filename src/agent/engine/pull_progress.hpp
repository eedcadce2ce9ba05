// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/error.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace icos::agent {

/// Adds up the lines of POST /images/create over the image's layers. A layer counts twice its size, once for
/// the download and once for being unpacked, so that the sum neither jumps back nor stands still at "100 %".
/// Pure.
class PullTally {
public:
    /// One line of the stream. An error inside it (the HTTP status was 200 by then) comes back as the engine
    /// error it stands for, with `image` in its detail.
    Result<void> line(const boost::json::value& line, const std::string& image);
    std::uint64_t current() const;
    std::uint64_t total() const;  ///< 0: no size known yet

private:
    struct Layer {
        std::uint64_t size = 0;
        std::uint64_t downloaded = 0;
        std::uint64_t unpacked = 0;
    };
    std::map<std::string, Layer> layers_;
};

}  // namespace icos::agent
