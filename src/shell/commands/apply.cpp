// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "commands/descriptor_file.hpp"
#include "commands/waiting.hpp"
#include "output/document.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace icos::shell {
namespace {

Task<Result<boost::json::value>> put(Context& context, const DescriptorFile& file, bool dry_run) {
    std::string target = "/api/v1/apps/" + http::percent_encode(file.app);
    if (dry_run) target += "?dry_run";
    return context.api.send(
        http::Method::put, context.in_project(std::move(target)), file.text, "application/yaml"
    );
}

std::string plan_lines(const boost::json::value& answer) {
    const auto& app = answer.at("app");
    Table table({});
    std::string rejected;
    std::size_t components = list_of(app, "components").size();
    for (const auto& item : list_of(answer, "explanations")) {
        const std::string node = text_of(item, "node");
        std::string name = text_of(item, "component");
        if (integer_of(item, "replica") > 0) name += "." + text_of(item, "replica");
        const bool placed = !node.empty();
        const std::string score = text_of(item, "score");
        std::string why = text_of(item, "reason");
        if (placed && !score.empty())
            why = fmt::format("{:.2f}  {}", item.at("score").to_number<double>(), why);
        table.row({placed ? "+ " + name : "? " + name, placed ? "-> " + node : "pending", why});
        const auto& candidates = list_of(item, "candidates");
        for (const auto& candidate : candidates) {
            if (text_of(candidate, "node") == node) continue;
            table.row(
                {"",
                 "",
                 fmt::format(
                     "runner-up {} {:.2f}",
                     text_of(candidate, "node"),
                     candidate.at("score").to_number<double>()
                 )}
            );
            break;
        }
        for (const auto& rejection : list_of(item, "rejections")) {
            rejected += fmt::format(
                "  {} cannot take {}: {}{}\n",
                text_of(rejection, "node"),
                name,
                text_of(rejection, "message"),
                text_of(rejection, "relaxation").empty() ? ""
                                                         : "  <- closest; " + text_of(rejection, "relaxation")
            );
        }
    }
    const std::int64_t generation = integer_of(app, "generation", 1);
    return fmt::format(
        "Application {} ({}), engine {}, {} component{}\n{}{}Nothing was changed.\n",
        text_of(app, "name"),
        generation <= 1 ? "new" : fmt::format("generation {}", generation),
        text_of(app, "engine"),
        components,
        components == 1 ? "" : "s",
        table.text(2),
        rejected
    );
}

}  // namespace

Task<int> apply(Context& context, ApplyOptions options) {
    const Result<std::vector<DescriptorFile>> files = read_descriptors(options.files, options.strict);
    if (files.has_error()) co_return report(files.error());
    if (!print_diagnostics(*files)) co_return kInvalidDescriptor;

    for (const DescriptorFile& file : *files) {
        Result<boost::json::value> answer = co_await put(context, file, options.dry_run);
        if (answer.has_error()) co_return report_descriptor(answer.error(), file);
        if (context.format == Format::json || context.format == Format::yaml) {
            std::fputs(
                (context.format == Format::json ? to_pretty_json(*answer) : to_yaml(*answer)).c_str(), stdout
            );
        } else if (options.dry_run) {
            std::fputs(plan_lines(*answer).c_str(), stdout);
        } else {
            const std::string generation = text_of(answer->at("app"), "generation");
            const std::string outcome = text_of(*answer, "result");
            const char* form =
                outcome == "unchanged" ? "%s unchanged (generation %s)\n" : "%s generation %s accepted\n";
            std::printf(form, file.app.c_str(), generation.c_str());  // NOLINT: both forms take two strings
            std::fflush(stdout);
        }
        if (options.wait && !options.dry_run) {
            const int code = co_await wait_for(context, file.app, Goal::running, options.timeout);
            if (code != kDone) co_return code;
        }
    }
    co_return kDone;
}

Task<int> plan(Context& context, ApplyOptions options) {
    options.dry_run = true;
    options.wait = false;
    return apply(context, std::move(options));
}

}  // namespace icos::shell
