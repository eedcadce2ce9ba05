// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task_group.hpp"
#include "icos/http/message.hpp"
#include "icos/store/store.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace icos {

/// Records in the event table what callers were refused: `access.denied`, with who, what and from where. What
/// they were allowed is recorded by whoever did it. Bounded, because anybody can be refused: one event a
/// minute for the same caller, place and action, and at most ten a minute in all; what is left out is
/// counted. Loop-confined.
class AccessAudit {
public:
    AccessAudit(Runtime& runtime, Store& store);

    /// `error`: auth.forbidden, auth.required or auth.bad_token.
    void refused(const http::Request& request, const Error& error);
    std::string metrics() const;
    Task<> stop(Duration deadline);

private:
    Runtime& runtime_;
    Store& store_;
    std::map<std::string, BootTime> told_;  ///< when, by caller, host and action; of the last minute
    std::uint64_t left_out_ = 0;            ///< since the last event
    std::uint64_t refused_ = 0;
    TaskGroup tasks_;
};

}  // namespace icos
