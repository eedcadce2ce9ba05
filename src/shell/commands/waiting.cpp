// SPDX-License-Identifier: Apache-2.0
#include "commands/waiting.hpp"

#include "commands/commands.hpp"
#include "icos/async/backoff.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <cstdio>
#include <set>

namespace icos::shell {
namespace {

std::string replica_name(const boost::json::value& component, const boost::json::value& placement) {
    std::string name = text_of(component, "name");
    if (integer_of(component, "replicas", 1) > 1) name += "." + text_of(placement, "replica");
    return name;
}

/// "running, healthy", "pulling image demo/web:1 38 %", "container exits: …".
std::string state_line(const boost::json::value& placement) {
    const std::string progress = text_of(placement, "progress");
    const std::string reason = text_of(placement, "reason");
    std::string state = text_of(placement, "state");
    if (!progress.empty() && (state == "preparing" || state == "pending")) return progress;
    if (state == "running") {
        const auto& services = list_of(placement, "services");
        const bool checked = std::any_of(services.begin(), services.end(), [](const auto& service) {
            return text_of(service, "health") == "healthy";
        });
        if (checked) state += ", healthy";
        return state;
    }
    if (!reason.empty()) state += ": " + reason;
    return state;
}

const char* style_of(const std::string& state) {
    if (state == "running" || state == "completed") return "green";
    if (state == "failed" || state == "unreachable" || state == "restarting" || state == "unhealthy")
        return "red";
    return "yellow";
}

bool reached(const boost::json::value& app, Goal goal) {
    const std::string state = text_of(app, "state");
    if (goal == Goal::running) return state == "running" || state == "completed";
    if (goal == Goal::stopped) return state == "stopped";
    return false;
}

/// Prints progress: on a terminal the block of lines is drawn over, elsewhere only lines that changed.
class Progress {
public:
    explicit Progress(const Context& context) : terminal_(context.terminal), colour_(context.colour) {}
    void show(const boost::json::value& app) {
        const std::string lines = progress_lines(app, colour_);
        if (terminal_) {
            if (drawn_ > 0) std::printf("\x1b[%zuA\x1b[J", drawn_);
            std::fputs(lines.c_str(), stdout);
            drawn_ = static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
        } else {
            std::size_t at = 0;
            while (at < lines.size()) {
                const std::size_t end = lines.find('\n', at);
                std::string line = lines.substr(at, end - at);
                at = end + 1;
                // A pull's percentage alone is no news in a log.
                std::string key = line.substr(0, line.find('%'));
                while (!key.empty() &&
                       (std::isdigit(static_cast<unsigned char>(key.back())) != 0 || key.back() == ' '))
                    key.pop_back();
                if (printed_.insert(key).second) std::printf("%s\n", line.c_str());
            }
        }
        std::fflush(stdout);
    }

private:
    bool terminal_;
    bool colour_;
    std::size_t drawn_ = 0;
    std::set<std::string> printed_;
};

struct Followed {
    boost::json::value app;
    bool done = false;
    bool gone = false;
    std::optional<Error> failed;
};

Task<> follow(Context& context, std::string app, Goal goal, Followed& followed) {
    Progress progress(context);
    Backoff backoff({Duration{200}, Duration{5000}});
    constexpr std::uint32_t kMaxAttempts = 20;
    for (;;) {
        const std::string target = context.in_project("/api/v1/apps/" + http::percent_encode(app) + "?watch");
        Result<EventReader> reader = co_await context.api.events(target);
        while (reader.has_value()) {
            Result<std::optional<ServerEvent>> event = co_await reader->next();
            if (event.has_error() || !*event) break;
            backoff.reset();
            if ((*event)->name == "deleted") {
                followed.gone = true;
                followed.done = goal == Goal::gone;
                co_return;
            }
            if ((*event)->name != "app") continue;
            followed.app = boost::json::parse((*event)->data);
            progress.show(followed.app);
            if (reached(followed.app, goal)) {
                followed.done = true;
                co_return;
            }
        }
        if (reader.has_error()) {
            if (kind_of(reader.error()) == ErrorKind::not_found) {
                followed.gone = true;
                followed.done = goal == Goal::gone;
                co_return;
            }
            if (backoff.attempts() >= kMaxAttempts) {
                followed.failed = reader.error();
                co_return;
            }
        }
        const Duration delay = backoff.next(context.runtime);
        co_await sleep_for(context.runtime, delay);
    }
}

std::string nodes_of(const boost::json::value& app) {
    std::string nodes;
    std::set<std::string> seen;
    for (const auto& component : list_of(app, "components")) {
        for (const auto& placement : list_of(component, "placements")) {
            const std::string node = text_of(placement, "node");
            if (node.empty() || !seen.insert(node).second) continue;
            nodes += nodes.empty() ? node : ", " + node;
        }
    }
    return nodes;
}

}  // namespace

std::string progress_lines(const boost::json::value& app, bool colour) {
    Table table({});
    for (const auto& component : list_of(app, "components")) {
        for (const auto& placement : list_of(component, "placements")) {
            const std::string state = text_of(placement, "state");
            table.row({
                replica_name(component, placement),
                or_dash(text_of(placement, "node")),
                paint(colour, style_of(state), state_line(placement)),
            });
        }
    }
    return table.text(2);
}

std::string pending_lines(const boost::json::value& app) {
    std::string out;
    for (const auto& component : list_of(app, "components")) {
        for (const auto& placement : list_of(component, "placements")) {
            if (text_of(placement, "state") != "pending" || !text_of(placement, "node").empty()) continue;
            out += "  " + replica_name(component, placement) + "  pending: " + text_of(placement, "reason") +
                   "\n";
            Table table({});
            for (const auto& rejection : list_of(placement, "rejections")) {
                const std::string relaxation = text_of(rejection, "relaxation");
                std::vector<std::string> cells{text_of(rejection, "node"), text_of(rejection, "message")};
                if (!relaxation.empty()) cells.push_back("<- closest; " + relaxation);
                table.row(std::move(cells));
            }
            out += table.text(4);
        }
    }
    return out;
}

Task<int> wait_for(Context& context, std::string app, Goal goal, Duration timeout) {
    const BootTime began = context.runtime.boot();
    Followed followed;
    const bool in_time =
        co_await finish_within(context.runtime, timeout, follow(context, app, goal, followed));
    const auto took = std::chrono::duration_cast<Duration>(context.runtime.boot() - began);

    if (followed.failed) co_return report(*followed.failed);
    if (followed.done) {
        if (goal == Goal::running) {
            std::printf(
                "%s is running (%s/%s) after %s\n",
                app.c_str(),
                text_of(followed.app, "ready").c_str(),
                text_of(followed.app, "total").c_str(),
                elapsed(took).c_str()
            );
        } else if (goal == Goal::stopped) {
            std::printf("%s is stopped after %s\n", app.c_str(), elapsed(took).c_str());
        } else {
            const std::string nodes = nodes_of(followed.app);
            std::printf(
                "%s: removed%s after %s\n",
                app.c_str(),
                nodes.empty() ? "" : (" from " + nodes).c_str(),
                elapsed(took).c_str()
            );
        }
        co_return kDone;
    }
    if (followed.gone) {
        std::fprintf(stderr, "error: %s was deleted meanwhile [app.not_found]\n", app.c_str());
        co_return kRefused;
    }
    (void)in_time;
    const std::string pending = pending_lines(followed.app);
    std::fputs(pending.c_str(), stdout);
    const char* wanted = goal == Goal::running ? "running" : goal == Goal::stopped ? "stopped" : "gone";
    const char* code = goal == Goal::running   ? "app.not_running"
                       : goal == Goal::stopped ? "app.not_stopped"
                                               : "app.not_gone";
    std::string after;
    if (!pending.empty()) after = "; it stays pending and starts when a node fits";
    if (pending.empty()) {
        const std::string reason = text_of(followed.app, "reason");
        after = reason.empty() ? "; the controller keeps working on it" : ": " + reason;
    }
    std::fprintf(
        stderr,
        "error: %s is not %s after %s [%s]%s\n",
        app.c_str(),
        wanted,
        elapsed(timeout).c_str(),
        code,
        after.c_str()
    );
    co_return kTimedOut;
}

}  // namespace icos::shell
