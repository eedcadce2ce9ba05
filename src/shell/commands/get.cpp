// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "output/document.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>

namespace icos::shell {
namespace {

struct Column {
    const char* title;
    bool wide;  ///< only with -o wide
    std::function<std::string(const boost::json::value&, WallTime now)> cell;
};

struct Kind {
    const char* name;
    const char* singular;
    const char* path;
    bool of_project;
    const char* id;     ///< member that names an item
    const char* empty;  ///< what is said when there is none
    std::vector<Column> columns;
};

std::function<std::string(const boost::json::value&, WallTime)> member(const char* name) {
    return [name](const boost::json::value& item, WallTime) { return or_dash(text_of(item, name)); };
}

std::string age(const boost::json::value& item, const char* name, WallTime now) {
    const auto time = parse_rfc3339(text_of(item, name));
    return time ? span(now - *time) : "-";
}

std::string ready(const boost::json::value& item, WallTime) {
    // A recorded application does not say it.
    if (text_of(item, "ready").empty()) return "-";
    return text_of(item, "ready") + "/" +
           (text_of(item, "total").empty() ? text_of(item, "replicas") : text_of(item, "total"));
}

std::string free_of(
    const boost::json::value& item, const char* total, const char* free, std::string (*form)(std::uint64_t)
) {
    const std::int64_t all = integer_of(item, total);
    if (all == 0) return "-";
    const std::string left =
        text_of(item, free).empty()
            ? "-"
            : form(static_cast<std::uint64_t>(std::max<std::int64_t>(0, integer_of(item, free))));
    return form(static_cast<std::uint64_t>(all)) + " (" + left + ")";
}

std::string nodes_of_component(const boost::json::value& item, WallTime) {
    std::string nodes;
    for (const auto& placement : list_of(item, "placements")) {
        const std::string node = text_of(placement, "node");
        if (node.empty()) continue;
        nodes += (nodes.empty() ? "" : ",") + node;
    }
    return or_dash(nodes);
}

std::string engine_of(const boost::json::value& item, WallTime) {
    std::string version = text_of(item, "engine_version");
    // Debian's suffix says nothing to an operator.
    version = version.substr(0, version.find('+'));
    return or_dash(text_of(item, "engine") + (version.empty() ? "" : " " + version));
}

/// Codes of what is wrong with a node although it may be ready; `icos describe node` says what to do.
std::string conditions_of(const boost::json::value& item, WallTime) {
    std::string codes;
    for (const auto& condition : list_of(item, "conditions"))
        codes += (codes.empty() ? "" : ",") + text_of(condition, "code");
    return or_dash(codes);
}

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> kKinds{
        {"apps",
         "app",
         "/api/v1/apps",
         true,
         "name",
         "No applications yet. Run one: icos apply -f FILE",
         {{"NAME", false, member("name")},
          {"STATE", false, member("state")},
          {"READY", false, ready},
          {"GENERATION", false, member("generation")},
          {"AGE", false, [](const auto& item, WallTime now) { return age(item, "created_at", now); }},
          {"ENGINE", true, member("engine")},
          {"ID", true, member("id")},
          {"REASON", true, member("reason")}}},
        {"components",
         "component",
         "/api/v1/components",
         true,
         "name",
         "No components.",
         {{"APP", false, member("app")},
          {"NAME", false, member("name")},
          {"STATE", false, member("state")},
          {"READY", false, ready},
          {"NODE", false, nodes_of_component},
          {"TYPE", true, member("type")},
          {"REASON", true, member("reason")}}},
        {"placements",
         "placement",
         "/api/v1/placements",
         true,
         "id",
         "No placements.",
         {{"APP", false, member("app")},
          {"COMPONENT", false, member("component")},
          {"REPLICA", false, member("replica")},
          {"NODE", false, member("node")},
          {"STATE", false, member("state")},
          {"GENERATION", false, member("generation")},
          {"AGE", false, [](const auto& item, WallTime now) { return age(item, "since", now); }},
          {"ID", true, member("id")},
          {"REASON", true, member("reason")}}},
        {"clusters",
         "cluster",
         "/api/v1/clusters",
         false,
         "name",
         "No clusters yet: each node's token names one.",
         {{"NAME", false, member("name")},
          {"READY", false, ready},
          {"NODES",
           false,
           [](const auto& item, WallTime) {
               std::string nodes;
               for (const auto& node : list_of(item, "nodes")) {
                   nodes += (nodes.empty() ? "" : ",") + std::string(node.as_string());
               }
               return or_dash(nodes);
           }}}},
        {"nodes",
         "node",
         "/api/v1/nodes",
         false,
         "name",
         "No nodes yet. Add one with the command that `icos node token` prints.",
         {{"NAME", false, member("name")},
          {"STATUS", false, member("status")},
          {"ENGINE", false, engine_of},
          {"ARCH", false, member("architecture")},
          {"CPU (FREE)",
           false,
           [](const auto& item, WallTime) { return free_of(item, "cpu_milli", "cpu_free_milli", cores); }},
          {"MEMORY (FREE)",
           false,
           [](const auto& item, WallTime) {
               return free_of(item, "memory_bytes", "memory_free_bytes", memory);
           }},
          {"CONDITIONS", false, conditions_of},
          {"CLUSTER", true, member("cluster")},
          {"CERTIFICATE UNTIL",
           true,
           [](const auto& item, WallTime) {
               return or_dash(text_of(item, "certificate_until").substr(0, 10));
           }},
          {"RTT",
           true,
           [](const auto& item, WallTime) {
               return text_of(item, "round_trip_ms").empty() ? "-" : text_of(item, "round_trip_ms") + " ms";
           }},
          {"LABELS", true, [](const auto& item, WallTime) { return pairs_of(item, "labels"); }},
          {"PLACEMENTS", true, member("placements")},
          {"LAST SEEN",
           false,
           [](const auto& item, WallTime now) { return ago(text_of(item, "last_seen"), now); }}}},
        {"credentials",
         "credential",
         "/api/v1/credentials",
         true,
         "name",
         "No registry credentials. `icos credential set` stores one.",
         {{"NAME", false, member("name")},
          {"REGISTRY", false, member("registry")},
          {"USERNAME", false, member("username")},
          {"UPDATED",
           false,
           [](const auto& item, WallTime now) { return ago(text_of(item, "updated_at"), now); }},
          {"BY", true, member("actor")}}},
        {"tokens",
         "token",
         "/api/v1/tokens",
         false,
         "id",
         "No join tokens. `icos node token` makes one.",
         {{"ID", false, member("id")},
          {"USES LEFT", false, member("uses_left")},
          {"EXPIRES", false, member("expires_at")},
          {"CLUSTER", false, member("cluster")},
          {"LABELS", false, [](const auto& item, WallTime) { return pairs_of(item, "labels"); }}}},
    };
    return kKinds;
}

const Kind* find_kind(std::string_view name) {
    for (const Kind& kind : kinds()) {
        if (name == kind.name || name == kind.singular) return &kind;
    }
    return nullptr;
}

void print_items(const Context& context, const Kind& kind, const boost::json::array& items) {
    if (context.format == Format::name) {
        for (const auto& item : items) std::printf("%s\n", text_of(item, kind.id).c_str());
        return;
    }
    if (items.empty()) {
        std::printf("%s\n", kind.empty);
        return;
    }
    const bool wide = context.format == Format::wide;
    const WallTime now = context.runtime.wall();
    std::vector<std::string> header;
    for (const Column& column : kind.columns) {
        if (wide || !column.wide) header.emplace_back(column.title);
    }
    Table table(header);
    for (const auto& item : items) {
        std::vector<std::string> cells;
        for (const Column& column : kind.columns) {
            if (wide || !column.wide) cells.push_back(column.cell(item, now));
        }
        table.row(std::move(cells));
    }
    std::fputs(table.text().c_str(), stdout);
}

/// All pages of a list.
Task<Result<boost::json::array>> all_items(Context& context, std::string target) {
    boost::json::array items;
    std::string after;
    for (;;) {
        std::string page = target;
        if (!after.empty())
            page +=
                (page.find('?') == std::string::npos ? "?after=" : "&after=") + http::percent_encode(after);
        Result<boost::json::value> answer = co_await context.api.get(std::move(page));
        if (answer.has_error()) co_return answer.error();
        for (const auto& item : list_of(*answer, "items")) items.push_back(item);
        after = text_of(*answer, "next");
        if (after.empty()) co_return items;
    }
}

Task<int> print_descriptor(Context& context, const Kind& kind, GetOptions options) {
    if (kind.name != std::string_view("apps") || options.name.empty()) {
        std::fputs("error: --descriptor and --reveal are for one application: icos get app NAME\n", stderr);
        co_return kUsage;
    }
    std::string target = std::string(kind.path) + "/" + http::percent_encode(options.name) + "/descriptor";
    if (options.reveal) target += "?reveal";
    const Result<std::string> text = co_await context.api.get_text(context.in_project(std::move(target)));
    if (text.has_error()) co_return report(text.error());
    std::fputs(text->c_str(), stdout);
    co_return kDone;
}

}  // namespace

Task<int> get(Context& context, GetOptions options) {
    if (options.kind == "events" || options.kind == "event") {
        EventsOptions events_options{
            options.app, options.node, {}, {}, {}, options.since, options.limit, false
        };
        co_return co_await events(context, std::move(events_options));
    }
    const Kind* kind = find_kind(options.kind);
    if (kind == nullptr) {
        std::fprintf(
            stderr,
            "error: unknown kind \"%s\" (apps, components, placements, clusters, nodes, tokens, credentials, "
            "events)\n",
            options.kind.c_str()
        );
        co_return kUsage;
    }
    if (options.descriptor || options.reveal)
        co_return co_await print_descriptor(context, *kind, std::move(options));
    const bool is_historic = !options.at.empty();
    if (is_historic && kind->name != std::string_view("apps") && kind->name != std::string_view("nodes")) {
        std::fprintf(stderr, "error: --at shows apps and nodes, not %s\n", kind->name);
        co_return kUsage;
    }
    const bool single =
        !is_historic && !options.name.empty() && kind->name != std::string_view("components") &&
        kind->name != std::string_view("placements") && kind->name != std::string_view("tokens") &&
        kind->name != std::string_view("credentials");
    std::string target = kind->path;
    if (single) target += "/" + http::percent_encode(options.name);
    if (!options.app.empty()) target += "?app=" + http::percent_encode(options.app);
    if (!options.node.empty())
        target += (options.app.empty() ? "?node=" : "&node=") + http::percent_encode(options.node);
    if (is_historic) {
        target += (options.app.empty() && options.node.empty() ? "?at=" : "&at=") +
                  http::percent_encode(today_at(options.at, context.runtime.wall()));
    }
    if (kind->of_project) target = context.in_project(std::move(target));

    boost::json::value document;
    boost::json::array items;
    if (single) {
        Result<boost::json::value> answer = co_await context.api.get(std::move(target));
        if (answer.has_error()) co_return report(answer.error());
        document = *answer;
        items.push_back(std::move(*answer));
    } else {
        Result<boost::json::array> answer = co_await all_items(context, std::move(target));
        if (answer.has_error()) co_return report(answer.error());
        items = std::move(*answer);
        if (!options.name.empty()) {
            boost::json::array named;
            for (const auto& item : items) {
                if (text_of(item, kind->id) == options.name) named.push_back(item);
            }
            items = std::move(named);
        }
        document = items;
    }
    if (context.format == Format::json) {
        std::fputs(to_pretty_json(document).c_str(), stdout);
    } else if (context.format == Format::yaml) {
        std::fputs(to_yaml(document).c_str(), stdout);
    } else {
        print_items(context, *kind, items);
    }
    co_return kDone;
}

Task<int> describe(Context& context, std::string kind, std::string name) {
    const Kind* known = find_kind(kind);
    if (known == nullptr || std::string_view(known->path).ends_with("components") ||
        std::string_view(known->path).ends_with("placements") ||
        std::string_view(known->path).ends_with("tokens") ||
        std::string_view(known->path).ends_with("credentials")) {
        std::fprintf(stderr, "error: cannot describe \"%s\" (app, node, cluster)\n", kind.c_str());
        co_return kUsage;
    }
    std::string target = std::string(known->path) + "/" + http::percent_encode(name);
    if (known->of_project) target = context.in_project(std::move(target));
    Result<boost::json::value> answer = co_await context.api.get(std::move(target));
    if (answer.has_error()) co_return report(answer.error());
    if (context.format == Format::json) {
        std::fputs(to_pretty_json(*answer).c_str(), stdout);
    } else {
        std::fputs(to_yaml(*answer).c_str(), stdout);
    }
    if (context.format != Format::table && context.format != Format::wide) co_return kDone;

    const char* filter = kind.starts_with("app") ? "app" : kind.starts_with("node") ? "node" : nullptr;
    if (filter == nullptr) co_return kDone;
    std::printf("events:\n");
    EventsOptions recent;
    (std::string_view(filter) == "app" ? recent.app : recent.node) = name;
    recent.limit = 10;
    co_return co_await events(context, std::move(recent));
}

}  // namespace icos::shell
