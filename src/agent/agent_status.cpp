// SPDX-License-Identifier: Apache-2.0
#include "agent_status.hpp"

#include "icos/core/log.hpp"
#include "icos/link/session.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace icos::agent {
namespace {

namespace json = boost::json;
const Log kLog("agent.status");
constexpr std::string_view kRefused = "link.refused";
constexpr std::size_t kMostShown = 64;

std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : std::string();
}

/// In place: half-written is shown as unknown, and a rename would have to be synced to be worth anything.
Result<void> overwrite(Disk& disk, const std::string& path, const std::string& bytes) {
    const Result<std::unique_ptr<File>> file = disk.open(path);
    if (file.has_error()) return file.error();
    Result<void> done = (*file)->truncate(0);
    if (done.has_value()) done = (*file)->write(0, bytes);
    return done;
}

}  // namespace

std::string status_path(const std::string& state_dir) {
    return state_dir + "/status.json";
}

std::string encode_status(const AgentStatus& status) {
    json::object out{
        {"connected", status.is_connected},
        {"controller", status.controller},
        {"since_ms", status.since_ms},
        {"code", status.code},
        {"problem", status.problem},
        {"hint", status.hint},
        {"engine_problem", status.engine_problem},
        {"disk_problem", status.disk_problem},
    };
    if (status.clock_ms) out["clock_ms"] = *status.clock_ms;
    return json::serialize(out);
}

std::optional<AgentStatus> decode_status(std::string_view text) {
    boost::system::error_code ec;
    const json::value value = json::parse(json::string_view(text.data(), text.size()), ec);
    if (ec || !value.is_object()) return std::nullopt;
    const json::object& object = value.get_object();
    const json::value* connected = object.if_contains("connected");
    const json::value* since = object.if_contains("since_ms");
    if (connected == nullptr || !connected->is_bool() || since == nullptr || !since->is_int64())
        return std::nullopt;
    AgentStatus out;
    out.is_connected = connected->get_bool();
    out.since_ms = since->get_int64();
    out.controller = text_of(object, "controller");
    out.code = text_of(object, "code");
    out.problem = text_of(object, "problem");
    out.hint = text_of(object, "hint");
    out.engine_problem = text_of(object, "engine_problem");
    out.disk_problem = text_of(object, "disk_problem");
    const json::value* clock = object.if_contains("clock_ms");
    if (clock != nullptr && clock->is_int64()) out.clock_ms = clock->get_int64();
    return out;
}

StatusFile::StatusFile(Runtime& runtime, Disk& disk, std::string directory)
    : runtime_(runtime), disk_(disk), path_(status_path(directory)), tasks_(runtime) {}

void StatusFile::connected(const std::string& controller, std::optional<std::int64_t> clock_ms) {
    AgentStatus next = wanted_;
    if (!next.is_connected) next.since_ms = to_ms(runtime_.wall());
    next.is_connected = true;
    shown_.clear();
    next.controller = controller;
    next.code.clear();
    next.problem.clear();
    next.hint.clear();
    if (clock_ms) next.clock_ms = clock_ms;
    change(std::move(next));
}

void StatusFile::disconnected(const std::string& controller, const Error& why) {
    AgentStatus next = wanted_;
    const std::string code = stable_code(why);
    const bool is_refusal = why.code == link::errc::refused;
    // Of several controllers that cannot be had, the one that says why is the one to act on. Words that only
    // name another port are not worth a write.
    if (!next.is_connected && next.code == kRefused && !is_refusal) return;
    if (shown_.size() >= kMostShown) return;
    if (!shown_.insert(is_refusal ? why.detail : code).second) return;
    next.since_ms = to_ms(runtime_.wall());
    next.is_connected = false;
    next.controller = controller;
    next.code = code;
    next.problem = why.detail;
    next.hint = why.hint;
    change(std::move(next));
}

void StatusFile::set_problems(const std::string& engine, const std::string& disk) {
    AgentStatus next = wanted_;
    next.engine_problem = engine;
    next.disk_problem = disk;
    change(std::move(next));
}

void StatusFile::change(AgentStatus next) {
    wanted_ = std::move(next);
    if (is_writing_ || written_ == wanted_) return;
    is_writing_ = true;
    tasks_.spawn("agent.status", write(shared_from_this()));
}

Task<> StatusFile::write(std::shared_ptr<StatusFile> self) {
    while (self->written_ != self->wanted_) {
        self->written_ = self->wanted_;
        auto work = [&disk = self->disk_, path = self->path_, bytes = encode_status(self->wanted_)] {
            return overwrite(disk, path, bytes);
        };
        const Result<void> written = co_await offload(self->runtime_, Pool::storage, std::move(work));
        if (written.has_error())
            kLog.debug(
                "the status was not written", {{"file", self->path_}, {"reason", written.error().detail}}
            );
    }
    self->is_writing_ = false;
}

}  // namespace icos::agent
