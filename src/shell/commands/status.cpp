// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "commands/waiting.hpp"
#include "output/document.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace icos::shell {
namespace {

std::string status_text(const boost::json::value& app, WallTime now, bool colour) {
    const std::string state = text_of(app, "state");
    const auto since = parse_rfc3339(text_of(app, "since"));
    const char* style = state == "running"                         ? "green"
                        : state == "failed" || state == "degraded" ? "red"
                                                                   : "yellow";
    std::string out = fmt::format(
        "{}  {} {}/{}  generation {}{}\n",
        text_of(app, "name"),
        paint(colour, style, state),
        text_of(app, "ready"),
        text_of(app, "total"),
        text_of(app, "generation"),
        since ? "  since " + span(now - *since) : ""
    );
    if (const std::string reason = text_of(app, "reason"); !reason.empty() && state != "running")
        out += "  " + reason + "\n";
    Table table({"COMPONENT", "NODE", "STATE", "RESTARTS", "ADDRESS"});
    std::string reasons;
    for (const auto& component : list_of(app, "components")) {
        for (const auto& placement : list_of(component, "placements")) {
            std::string name = text_of(component, "name");
            if (integer_of(component, "replicas", 1) > 1) name += "." + text_of(placement, "replica");
            std::string placed = text_of(placement, "state");
            bool healthy = false;
            for (const auto& service : list_of(placement, "services"))
                healthy = healthy || text_of(service, "health") == "healthy";
            if (placed == "running" && healthy) placed += ", healthy";
            table.row({
                name,
                or_dash(text_of(placement, "node")),
                placed,
                text_of(placement, "node").empty() ? "-" : std::to_string(integer_of(placement, "restarts")),
                or_dash(text_of(placement, "address")),
            });
            const std::string reason = text_of(placement, "reason");
            if (!reason.empty() && placed != "pending") reasons += "  " + name + ": " + reason + "\n";
        }
    }
    return out + table.text() + reasons + pending_lines(app);
}

Task<int> watch(Context& context, std::string app) {
    Result<EventReader> reader =
        co_await context.api.events(context.in_project("/api/v1/apps/" + http::percent_encode(app) + "?watch")
        );
    if (reader.has_error()) co_return report(reader.error());
    std::size_t drawn = 0;
    for (;;) {
        Result<std::optional<ServerEvent>> event = co_await reader->next();
        if (event.has_error()) co_return report(event.error());
        if (!*event) {
            std::fprintf(stderr, "error: the controller ended the stream\n");
            co_return kUnreachable;
        }
        if ((*event)->name == "deleted") {
            std::printf("%s was deleted\n", app.c_str());
            co_return kDone;
        }
        if ((*event)->name != "app") continue;
        const std::string text =
            status_text(boost::json::parse((*event)->data), context.runtime.wall(), context.colour);
        if (context.terminal && drawn > 0) std::printf("\x1b[%zuA\x1b[J", drawn);
        std::fputs(text.c_str(), stdout);
        std::fflush(stdout);
        drawn = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    }
}

}  // namespace

Task<int> status(Context& context, StatusOptions options) {
    if (options.app.empty()) {
        GetOptions all;
        all.kind = "apps";
        co_return co_await get(context, std::move(all));
    }
    if (options.watch) co_return co_await watch(context, std::move(options.app));
    Result<boost::json::value> app =
        co_await context.api.get(context.in_project("/api/v1/apps/" + http::percent_encode(options.app)));
    if (app.has_error()) co_return report(app.error());
    if (context.format == Format::json) {
        std::fputs(to_pretty_json(*app).c_str(), stdout);
    } else if (context.format == Format::yaml) {
        std::fputs(to_yaml(*app).c_str(), stdout);
    } else {
        std::fputs(status_text(*app, context.runtime.wall(), context.colour).c_str(), stdout);
    }
    co_return kDone;
}

}  // namespace icos::shell
