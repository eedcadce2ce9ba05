// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/core/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace icos {

/// A time of every day, in UTC: "02:00-04:00". One that ends before it begins goes over midnight.
class DailyWindow {
public:
    /// nullopt unless it is HH:MM-HH:MM with two different times.
    static std::optional<DailyWindow> parse(std::string_view text);
    bool contains(WallTime time) const;
    /// Until it opens next; 0 while it is open.
    Duration until_open(WallTime time) const;
    std::string text() const;

private:
    DailyWindow(std::chrono::minutes from, std::chrono::minutes to) : from_(from), to_(to) {}
    std::chrono::minutes from_;
    std::chrono::minutes to_;
};

}  // namespace icos
