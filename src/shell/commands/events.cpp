// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "icos/async/backoff.hpp"
#include "output/document.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace icos::shell {
namespace {

std::string query_of(const EventsOptions& options) {
    std::string query;
    const auto add = [&query](const char* key, const std::string& value) {
        if (!value.empty())
            query += fmt::format("{}{}={}", query.empty() ? "" : "&", key, http::percent_encode(value));
    };
    add("app", options.app);
    add("node", options.node);
    add("kind", options.kind);
    add("layer", options.layer);
    add("actor", options.actor);
    add("since", options.since);
    if (options.limit > 0) add("limit", std::to_string(options.limit));
    return query;
}

void print_line(const Context& context, const boost::json::value& event) {
    if (context.format == Format::json) {
        std::printf("%s\n", boost::json::serialize(event).c_str());
    } else {
        const std::string seq = context.format == Format::wide ? text_of(event, "seq") + "  " : "";
        const std::string actor = context.format == Format::wide ? "  " + text_of(event, "actor") : "";
        std::printf(
            "%s%s  %-16s %-16s %s%s\n",
            seq.c_str(),
            clock_time(text_of(event, "at")).c_str(),
            text_of(event, "subject").c_str(),
            text_of(event, "kind").c_str(),
            text_of(event, "message").c_str(),
            actor.c_str()
        );
    }
    std::fflush(stdout);
}

/// Follows for ever: a broken connection is taken up again after the last event seen.
Task<int> watch(Context& context, EventsOptions options) {
    std::string last;
    Backoff backoff({Duration{250}, Duration{10'000}});
    for (;;) {
        std::string target = "/api/v1/events?watch&" + query_of(options);
        if (!last.empty()) target += "&after=" + last;
        Result<EventReader> reader = co_await context.api.events(context.in_project(std::move(target)));
        if (reader.has_error()) {
            if (last.empty() || kind_of(reader.error()) == ErrorKind::gone) co_return report(reader.error());
            if (backoff.attempts() == 0)
                std::fprintf(stderr, "%s; trying again\n", reader.error().detail.c_str());
        }
        while (reader.has_value()) {
            Result<std::optional<ServerEvent>> event = co_await reader->next();
            if (event.has_error() || !*event) break;
            backoff.reset();
            if (!(*event)->id.empty()) last = (*event)->id;
            if (!(*event)->data.empty()) print_line(context, boost::json::parse((*event)->data));
        }
        const Duration delay = backoff.next(context.runtime);
        co_await sleep_for(context.runtime, delay);
    }
}

}  // namespace

Task<int> events(Context& context, EventsOptions options) {
    if (options.watch) co_return co_await watch(context, std::move(options));
    Result<boost::json::value> answer =
        co_await context.api.get(context.in_project("/api/v1/events?" + query_of(options)));
    if (answer.has_error()) co_return report(answer.error());
    if (context.format == Format::yaml) {
        std::fputs(to_yaml(list_of(*answer, "items")).c_str(), stdout);
        co_return kDone;
    }
    if (context.format == Format::json) {
        std::fputs(to_pretty_json(list_of(*answer, "items")).c_str(), stdout);
        co_return kDone;
    }
    const bool wide = context.format == Format::wide;
    std::vector<std::string> header;
    if (wide) header = {"SEQ", "TIME", "SUBJECT", "KIND", "MESSAGE", "ACTOR"};
    Table table(header);
    for (const auto& event : list_of(*answer, "items")) {
        std::vector<std::string> cells;
        if (context.format == Format::wide) cells.push_back(text_of(event, "seq"));
        cells.push_back(clock_time(text_of(event, "at")));
        cells.push_back(text_of(event, "subject"));
        cells.push_back(text_of(event, "kind"));
        cells.push_back(text_of(event, "message"));
        if (context.format == Format::wide) cells.push_back(text_of(event, "actor"));
        table.row(std::move(cells));
    }
    std::fputs(table.text().c_str(), stdout);
    co_return kDone;
}

}  // namespace icos::shell
