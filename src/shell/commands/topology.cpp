// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "output/document.hpp"
#include "output/format.hpp"
#include "output/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <map>

namespace icos::shell {

Task<int> topology(Context& context) {
    const Result<boost::json::value> version = co_await context.api.get("/api/v1/version");
    if (version.has_error()) co_return report(version.error());
    const Result<boost::json::value> nodes = co_await context.api.get("/api/v1/nodes?limit=1000");
    if (nodes.has_error()) co_return report(nodes.error());
    const Result<boost::json::value> placements =
        co_await context.api.get(context.in_project("/api/v1/placements?limit=1000"));
    if (placements.has_error()) co_return report(placements.error());

    std::map<std::string, std::string> running;  // node -> "app/component, …"
    std::map<std::string, bool> apps;
    for (const auto& placement : list_of(*placements, "items")) {
        const std::string node = text_of(placement, "node");
        apps[text_of(placement, "app")] = true;
        if (node.empty()) continue;
        std::string& line = running[node];
        line +=
            (line.empty() ? "" : ", ") + text_of(placement, "app") + "/" + text_of(placement, "component");
    }
    std::map<std::string, std::vector<const boost::json::value*>> clusters;
    for (const auto& node : list_of(*nodes, "items")) clusters[text_of(node, "cluster")].push_back(&node);

    if (context.format == Format::json || context.format == Format::yaml) {
        boost::json::array tree;
        for (const auto& [name, members] : clusters) {
            boost::json::array list;
            for (const auto* node : members) {
                list.push_back(boost::json::object{
                    {"name", text_of(*node, "name")},
                    {"status", text_of(*node, "status")},
                    {"running", running[text_of(*node, "name")]}
                });
            }
            tree.push_back(boost::json::object{{"cluster", name}, {"nodes", list}});
        }
        const boost::json::object document{{"controller", text_of(*version, "name")}, {"clusters", tree}};
        std::fputs(
            (context.format == Format::json ? to_pretty_json(document) : to_yaml(document)).c_str(), stdout
        );
        co_return kDone;
    }
    const std::size_t count = list_of(*nodes, "items").size();
    std::printf(
        "controller %s (%zu node%s, %zu app%s)\n",
        text_of(*version, "name").c_str(),
        count,
        count == 1 ? "" : "s",
        apps.size(),
        apps.size() == 1 ? "" : "s"
    );
    std::size_t cluster_index = 0;
    for (const auto& [name, members] : clusters) {
        const bool last_cluster = ++cluster_index == clusters.size();
        std::printf("%s cluster %s\n", last_cluster ? "└─" : "├─", name.c_str());
        Table table({});
        for (std::size_t i = 0; i < members.size(); ++i) {
            const auto& node = *members[i];
            const std::string branch =
                std::string(last_cluster ? "   " : "│  ") + (i + 1 == members.size() ? "└─ " : "├─ ");
            table.row(
                {branch + text_of(node, "name"),
                 text_of(node, "status"),
                 or_dash(running[text_of(node, "name")])}
            );
        }
        std::fputs(table.text().c_str(), stdout);
    }
    co_return kDone;
}

Task<int> version(Context& context) {
    std::printf("icos %s\n", ICOS_VERSION);
    const Result<boost::json::value> answer = co_await context.api.get("/api/v1/version");
    if (answer.has_error()) {
        std::printf("controller %s: not reachable\n", context.api.where().c_str());
        co_return kDone;
    }
    std::printf(
        "controller %s (%s at %s)\n",
        text_of(*answer, "version").c_str(),
        text_of(*answer, "name").c_str(),
        context.api.where().c_str()
    );
    co_return kDone;
}

}  // namespace icos::shell
