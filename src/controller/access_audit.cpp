// SPDX-License-Identifier: Apache-2.0
#include "access_audit.hpp"

#include "icos/core/log.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace icos {
namespace {

const Log kLog("controller.audit");
constexpr Duration kMinute{60'000};
constexpr std::size_t kMostAMinute = 10;
constexpr std::size_t kLongestPath = 200;

/// Without the query, which may hold anything, and printable.
std::string shown_path(const std::string& path) {
    std::string out;
    for (const char c : path.substr(0, kLongestPath)) out += c >= ' ' && c <= '~' ? c : '?';
    return path.size() > kLongestPath ? out + "..." : out;
}

std::string host_of(const std::string& remote) {
    return remote.substr(0, remote.rfind(':'));
}

Task<> forget(Task<Result<std::uint64_t>> commit) {
    const Result<std::uint64_t> version = co_await std::move(commit);
    if (version.has_error()) kLog.warning("a refusal was not recorded", version.error());
}

}  // namespace

AccessAudit::AccessAudit(Runtime& runtime, Store& store)
    : runtime_(runtime), store_(store), tasks_(runtime) {}

void AccessAudit::refused(const http::Request& request, const Error& error) {
    ++refused_;
    const BootTime now = runtime_.boot();
    std::erase_if(told_, [now](const auto& entry) { return now - entry.second >= kMinute; });
    const std::string action = std::string(to_string(request.method)) + " " + shown_path(request.path);
    const std::string key = request.caller.subject + "\n" + host_of(request.remote) + "\n" + action;
    if (told_.contains(key) || told_.size() >= kMostAMinute) {
        ++left_out_;
        return;
    }
    told_.emplace(key, now);
    EventDraft event;
    event.kind = "access.denied";
    event.layer = Layer::security;
    event.project = request.query_or("project", "default").substr(0, kLongestPath);
    event.subject_kind = "caller";
    // The last event of each subject is kept for good, and agents' keys are without number.
    if (!request.caller.peer) event.subject = request.caller.subject;
    event.actor = request.caller.subject;
    event.message = action + " from " + request.remote + ": " + stable_code(error);
    if (left_out_ > 0) event.message += " (" + std::to_string(left_out_) + " more were not recorded)";
    event.data = boost::json::serialize(boost::json::object{
        {"method", std::string(to_string(request.method))},
        {"path", shown_path(request.path)},
        {"remote", request.remote},
        {"code", stable_code(error)},
        {"request_id", request.request_id},
        {"left_out", left_out_},
    });
    left_out_ = 0;
    ChangeSet changes;
    changes.events.push_back(std::move(event));
    tasks_.spawn("controller.audit", forget(store_.commit(std::move(changes))));
}

std::string AccessAudit::metrics() const {
    return "# TYPE icos_http_denied_total counter\nicos_http_denied_total " + std::to_string(refused_) + "\n";
}

Task<> AccessAudit::stop(Duration deadline) {
    co_await tasks_.stop(deadline);
}

}  // namespace icos
