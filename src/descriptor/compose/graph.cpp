// SPDX-License-Identifier: Apache-2.0
#include "compose/service.hpp"
#include "nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace icos::descriptor::compose {
namespace {

using boost::json::object;

void check(
    const std::vector<NamedPlace>& used,
    std::string_view kind,
    const std::vector<std::string_view>& declared,
    Report& report
) {
    for (const NamedPlace& place : used) {
        if (std::find(declared.begin(), declared.end(), place.name) != declared.end()) continue;
        std::string hint = did_you_mean(place.name, declared);
        if (hint.empty())
            hint = kind == "service"
                       ? "services of the same manifest can be named"
                       : fmt::format("declare it under {}s: at the end of the compose file", kind);
        report.add(
            "C005",
            place.at,
            place.path,
            fmt::format("there is no {} \"{}\" in this compose file", kind, place.name),
            {.hint = std::move(hint)}
        );
    }
}

std::vector<std::string_view> names_of(const object& section) {
    std::vector<std::string_view> names;
    for (const auto& member : section) names.emplace_back(member.key().data(), member.key().size());
    return names;
}

}  // namespace

void check_references(const std::vector<Service>& services, const Declared& declared, Report& report) {
    std::vector<std::string_view> networks = names_of(declared.networks);
    networks.emplace_back("default");
    std::vector<std::string_view> names;
    for (const Service& service : services) names.emplace_back(service.name);
    for (const Service& service : services) {
        check(service.networks, "network", networks, report);
        check(service.volumes, "volume", names_of(declared.volumes), report);
        check(service.configs, "config", names_of(declared.configs), report);
        check(service.secrets, "secret", names_of(declared.secrets), report);
        check(service.dependencies, "service", names, report);
    }
}

void check_cycles(const std::vector<Service>& services, Report& report) {
    std::unordered_map<std::string_view, std::size_t> index;
    for (std::size_t i = 0; i < services.size(); ++i) index.emplace(services[i].name, i);
    enum class State { unseen, open, done };
    std::vector<State> states(services.size(), State::unseen);
    struct Step {
        std::size_t service;
        std::size_t next;
    };
    for (std::size_t root = 0; root < services.size(); ++root) {
        if (states[root] != State::unseen) continue;
        std::vector<Step> path{{root, 0}};
        states[root] = State::open;
        while (!path.empty()) {
            const Service& service = services[path.back().service];
            if (path.back().next == service.dependencies.size()) {
                states[path.back().service] = State::done;
                path.pop_back();
                continue;
            }
            const NamedPlace& dependency = service.dependencies[path.back().next++];
            const auto found = index.find(dependency.name);
            if (found == index.end() || states[found->second] == State::done) continue;
            if (states[found->second] == State::unseen) {
                states[found->second] = State::open;
                path.push_back({found->second, 0});
                continue;
            }
            std::string circle;
            const auto begin = std::find_if(path.begin(), path.end(), [&](const Step& s) {
                return s.service == found->second;
            });
            for (auto step = begin; step != path.end(); ++step)
                circle += services[step->service].name + " -> ";
            report.add(
                "C006",
                dependency.at,
                dependency.path,
                fmt::format("depends_on: {}{} is a cycle", circle, dependency.name)
            );
        }
    }
}

}  // namespace icos::descriptor::compose
