// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/async/runtime.hpp"
#include "icos/async/task_group.hpp"
#include "icos/store/disk.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace icos::agent {

/// How the agent stands, for `icos-agent status` on the node.
struct AgentStatus {
    bool is_connected = false;
    std::string controller;     ///< that answered or refused last
    std::int64_t since_ms = 0;  ///< when `is_connected` or `problem` became so, by the node's clock
    std::string code;           ///< of the problem, "node.duplicate"; empty: none
    std::string problem;
    std::string hint;
    std::optional<std::int64_t> clock_ms;  ///< the node's clock less the controller's, at the last welcome
    std::string engine_problem;
    std::string disk_problem;
    bool operator==(const AgentStatus&) const = default;
};
std::string encode_status(const AgentStatus& status);
/// nullopt if it is not such a text: half of it was written when the power went.
std::optional<AgentStatus> decode_status(std::string_view text);
std::string status_path(const std::string& state_dir);

/// Keeps `<directory>/status.json` up to date: written when something differs, never synced, because nothing
/// is lost with it. A problem that was shown since the last connection is not written again, so that a node
/// that stays away writes nothing. Loop-confined; keep it by shared_ptr.
class StatusFile : public std::enable_shared_from_this<StatusFile> {
public:
    StatusFile(Runtime& runtime, Disk& disk, std::string directory);

    const AgentStatus& status() const noexcept { return wanted_; }
    void connected(const std::string& controller, std::optional<std::int64_t> clock_ms);
    void disconnected(const std::string& controller, const Error& why);
    void set_problems(const std::string& engine, const std::string& disk);
    void cancel() { tasks_.cancel(); }

private:
    void change(AgentStatus next);
    static Task<> write(std::shared_ptr<StatusFile> self);

    Runtime& runtime_;
    Disk& disk_;
    std::string path_;
    AgentStatus wanted_;
    std::optional<AgentStatus> written_;
    std::set<std::string> shown_;  ///< problems since the last connection
    bool is_writing_ = false;
    TaskGroup tasks_;
};

}  // namespace icos::agent
