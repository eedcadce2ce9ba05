// SPDX-License-Identifier: Apache-2.0
#include "commands/rollout.hpp"

#include "commands/commands.hpp"
#include "commands/waiting.hpp"
#include "output/document.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace icos::shell {
namespace {

std::string path_of(const std::string& app) {
    return "/api/v1/apps/" + http::percent_encode(app);
}

bool is_document(const Context& context) {
    return context.format == Format::json || context.format == Format::yaml;
}

void print_document(const Context& context, const boost::json::value& document) {
    const bool json = context.format == Format::json;
    std::fputs((json ? to_pretty_json(document) : to_yaml(document)).c_str(), stdout);
}

Task<int> print_generation(Context& context, RolloutOptions options) {
    std::string target = path_of(options.app) + "/generations/" + std::to_string(*options.generation);
    const Result<std::string> text = co_await context.api.get_text(context.in_project(std::move(target)));
    if (text.has_error()) co_return report(text.error());
    std::fputs(text->c_str(), stdout);
    co_return kDone;
}

}  // namespace

std::string history_text(const boost::json::array& items, WallTime now, Format format) {
    if (format == Format::name) {
        std::string names;
        for (const auto& item : items) names += text_of(item, "generation") + "\n";
        return names;
    }
    std::vector<std::string> header{"GENERATION", "AGE", "ACTOR", "COMPONENTS", "STATE"};
    if (format == Format::wide) header.emplace_back("AT");
    Table table(std::move(header));
    for (const auto& item : items) {
        const auto at = parse_rfc3339(text_of(item, "at"));
        std::vector<std::string> cells{
            text_of(item, "generation"),
            at ? span(now - *at) : "-",
            or_dash(text_of(item, "actor")),
            or_dash(text_of(item, "components")),
            text_of(item, "state"),
        };
        if (format == Format::wide) cells.push_back(or_dash(text_of(item, "at")));
        table.row(std::move(cells));
    }
    return table.text();
}

std::string rollback_body(std::optional<std::uint64_t> generation) {
    if (!generation) return {};
    return boost::json::serialize(boost::json::object{{"generation", *generation}});
}

Task<int> rollout_status(Context& context, RolloutOptions options) {
    if (options.wait) co_return co_await wait_for(context, options.app, Goal::running, options.timeout);
    StatusOptions once;
    once.app = options.app;
    co_return co_await status(context, std::move(once));
}

Task<int> rollout_history(Context& context, RolloutOptions options) {
    if (options.generation) co_return co_await print_generation(context, std::move(options));
    const Result<boost::json::value> answer =
        co_await context.api.get(context.in_project(path_of(options.app) + "/generations"));
    if (answer.has_error()) co_return report(answer.error());
    const boost::json::array& items = list_of(*answer, "items");
    if (is_document(context)) {
        print_document(context, items);
    } else {
        std::fputs(history_text(items, context.runtime.wall(), context.format).c_str(), stdout);
    }
    co_return kDone;
}

Task<int> rollout_undo(Context& context, RolloutOptions options) {
    std::string body = rollback_body(options.generation);
    std::string type = body.empty() ? "" : "application/json";
    std::string target = context.in_project(path_of(options.app) + "/rollback");
    const Result<boost::json::value> answer =
        co_await context.api.send(http::Method::post, std::move(target), std::move(body), std::move(type));
    if (answer.has_error()) co_return report(answer.error());
    if (is_document(context)) {
        print_document(context, *answer);
    } else {
        const std::string generation = text_of(answer->at("app"), "generation");
        const bool same = text_of(*answer, "result") == "unchanged";
        const std::string line =
            same ? fmt::format("{} unchanged (generation {})\n", options.app, generation)
                 : fmt::format("{} rolled back, generation {} accepted\n", options.app, generation);
        std::fputs(line.c_str(), stdout);
        std::fflush(stdout);
    }
    if (!options.wait) co_return kDone;
    co_return co_await wait_for(context, options.app, Goal::running, options.timeout);
}

}  // namespace icos::shell
