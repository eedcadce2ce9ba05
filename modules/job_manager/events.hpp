// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/store/store.hpp"
#include "rollup.hpp"
#include "state.hpp"

#include <string>
#include <string_view>

/// The facts the Job Manager records, with their one line for people. Pure.
namespace icos::job_manager {

/// Decided by the module itself.
inline constexpr std::string_view kSelf = "job_manager";

/// `kind` "app.<word>".
EventDraft app_event(
    const App& app, std::string_view word, std::string message, std::string_view actor = kSelf
);
/// `kind` "<noun>.<word>" about one replica; `node` may be empty.
EventDraft replica_event(
    const App& app,
    std::string_view kind,
    const std::string& component,
    std::uint32_t replica,
    std::string node,
    std::string message
);
/// "edge-1, healthy after 1.6 s", or why not.
std::string observed_message(const Placement& placement, const ReplicaView& view, WallTime now);
/// "hello/frontend", or "hello/frontend.1" for further replicas.
std::string replica_name(const App& app, const std::string& component, std::uint32_t replica);
/// "2 components", "1 component".
std::string counted(std::size_t count, std::string_view noun);

}  // namespace icos::job_manager
