// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "output/document.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace icos::shell {

Task<int> explain(Context& context, std::string target) {
    const std::size_t slash = target.find('/');
    const std::string app = target.substr(0, slash);
    std::string path = "/api/v1/apps/" + http::percent_encode(app) + "/explain";
    if (slash != std::string::npos) path += "?component=" + http::percent_encode(target.substr(slash + 1));
    Result<boost::json::value> answer = co_await context.api.get(context.in_project(std::move(path)));
    if (answer.has_error()) co_return report(answer.error());
    if (context.format == Format::json || context.format == Format::yaml) {
        std::fputs(
            (context.format == Format::json ? to_pretty_json(*answer) : to_yaml(*answer)).c_str(), stdout
        );
        co_return kDone;
    }
    for (const auto& item : list_of(*answer, "items")) {
        std::string name = app + "/" + text_of(item, "component");
        if (integer_of(item, "replica") > 0) name += "." + text_of(item, "replica");
        const std::string node = text_of(item, "node");
        const std::string reason = text_of(item, "reason");
        std::printf(
            "%s  %s\n",
            name.c_str(),
            node.empty() ? ("pending: " + reason).c_str()
                         : ("on " + node + (reason.empty() ? "" : ": " + reason)).c_str()
        );
        Table table({});
        for (const auto& candidate : list_of(item, "candidates")) {
            table.row(
                {text_of(candidate, "node"),
                 fmt::format("fits, score {:.2f}", candidate.at("score").to_number<double>())}
            );
        }
        for (const auto& rejection : list_of(item, "rejections")) {
            const std::string relaxation = text_of(rejection, "relaxation");
            std::vector<std::string> cells{text_of(rejection, "node"), text_of(rejection, "message")};
            if (!relaxation.empty()) cells.push_back("<- closest; " + relaxation);
            table.row(std::move(cells));
        }
        std::fputs(table.text(4).c_str(), stdout);
    }
    co_return kDone;
}

}  // namespace icos::shell
