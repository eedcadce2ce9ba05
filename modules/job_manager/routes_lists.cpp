// SPDX-License-Identifier: Apache-2.0
#include "routes.hpp"
#include "rows.hpp"

#include <boost/json/serialize.hpp>

#include <charconv>
#include <utility>
#include <vector>

namespace icos::job_manager {
namespace {

namespace json = boost::json;
using http::Request;
using http::Response;

/// What the application's row said: not what its components did.
json::object recorded_json(const App& app) {
    return {
        {"id", app.id.value},
        {"name", app.name},
        {"project", app.project},
        {"generation", app.generation},
        {"desired", to_string(app.desired)},
        {"state", to_string(app.state)},
        {"since", to_rfc3339(app.since)},
        {"created_at", to_rfc3339(app.created_at)},
        {"updated_at", to_rfc3339(app.updated_at)},
    };
}

Task<Result<Response>> apps_at(Store& store, Request request, WallTime at) {
    auto page = Page::of(request);
    if (page.has_error()) co_return page.error();
    const auto rows = co_await store.history(std::string(kAppKind), at);
    if (rows.has_error()) co_return rows.error();
    const std::string project = project_of(request);
    std::map<std::string, App> apps;
    for (const Row& row : *rows) {
        auto app = read_app(row);
        if (app.has_error()) co_return app.error();
        std::string name = app->name;
        if (app->project == project) apps.insert_or_assign(std::move(name), std::move(*app));
    }
    for (const auto& [name, app] : apps) {
        if (page->wants(name)) page->add(name, recorded_json(app));
    }
    co_return page->response();
}

Task<Result<Response>> list_apps(JobService& service, Request request) {
    auto page = Page::of(request);
    if (page.has_error()) co_return page.error();
    const std::string project = project_of(request);
    std::map<std::string, const App*> apps;
    for (const auto& [id, app] : service.state().apps()) {
        if (app.project == project) apps.emplace(app.name, &app);
    }
    for (const auto& [name, app] : apps) {
        if (page->wants(name)) page->add(name, service.show(*app, Detail::brief));
    }
    co_return page->response();
}

std::map<std::string, const App*> apps_in(const JobService& service, const Request& request) {
    const std::string project = project_of(request);
    const std::string_view only = request.query_or("app", "");
    std::map<std::string, const App*> apps;
    const bool is_every = project == "*";
    for (const auto& [id, app] : service.state().apps()) {
        if (!is_every && app.project != project) continue;
        if (!only.empty() && app.name != only) continue;
        apps.emplace(is_every ? app.project + "/" + app.name : app.name, &app);
    }
    return apps;
}

Task<Result<Response>> list_components(JobService& service, Request request) {
    auto page = Page::of(request);
    if (page.has_error()) co_return page.error();
    const auto topology = service.topology();
    const Snapshot snapshot{service.state(), *topology, service.problems()};
    for (const auto& [name, app] : apps_in(service, request)) {
        std::map<std::string, json::object> components;
        for (auto& value : components_json(snapshot, *app, Detail::with_services)) {
            json::object& component = value.as_object();
            std::string key = name + "/" + std::string(component.at("name").as_string());
            components.emplace(std::move(key), std::move(component));
        }
        for (auto& [key, component] : components) {
            if (page->wants(key)) page->add(key, std::move(component));
        }
    }
    co_return page->response();
}

Task<Result<Response>> list_placements(JobService& service, Request request) {
    auto page = Page::of(request);
    if (page.has_error()) co_return page.error();
    const auto topology = service.topology();
    const Snapshot snapshot{service.state(), *topology, service.problems()};
    const std::string_view node = request.query_or("node", "");
    for (const auto& [name, app] : apps_in(service, request)) {
        std::map<std::string, const Placement*> placements;
        for (const Placement* placement : service.state().of_app(app->id)) {
            if (!node.empty() && placement->node_name != node) continue;
            placements.emplace(name + "/" + placement->component + "/" + placement->id.value, placement);
        }
        for (const auto& [key, placement] : placements) {
            if (page->wants(key)) page->add(key, to_json(snapshot, *app, *placement, Detail::with_services));
        }
    }
    co_return page->response();
}

Task<Result<Response>> apps(Runtime& runtime, Store& store, JobService& service, Request request) {
    const auto at = time_in_query(request, "at", runtime.wall());
    if (at.has_error()) co_return at.error();
    if (*at) co_return co_await apps_at(store, std::move(request), **at);
    co_return co_await list_apps(service, std::move(request));
}

}  // namespace

std::string project_of(const Request& request) {
    const std::string_view project = request.query_or("project", "default");
    return std::string(project.empty() ? "default" : project);
}

Result<std::optional<std::uint64_t>> number_in_query(
    const Request& request, std::string_view key, std::uint64_t most
) {
    const std::string_view text = request.query_or(key, "");
    if (text.empty()) return std::optional<std::uint64_t>{};
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || value > most) {
        return Error{
            errc::invalid_query,
            "?" + std::string(key) + "=" + std::string(text) + " is not a number from 0 to " +
                std::to_string(most)
        };
    }
    return std::optional<std::uint64_t>{value};
}

Result<std::optional<WallTime>> time_in_query(const Request& request, std::string_view key, WallTime now) {
    const std::string_view text = request.query_or(key, "");
    if (text.empty()) return std::optional<WallTime>{};
    if (const auto time = parse_past(text, now)) return time;
    return Error{
        errc::invalid_query,
        "?" + std::string(key) + "=" + std::string(text) + " is neither a time nor a duration",
        "10m, 2h or 2026-11-24T04:03:31Z"
    };
}

Result<Page> Page::of(const Request& request) {
    Page page;
    const auto limit = number_in_query(request, "limit", 1000);
    if (limit.has_error()) return limit.error();
    if (*limit && **limit > 0) page.limit_ = **limit;
    page.after_ = request.query_or("after", "");
    return page;
}

bool Page::wants(const std::string& key) {
    if (key <= after_ && !after_.empty()) return false;
    if (items_.size() < limit_) return true;
    is_cut_ = true;
    return false;
}

void Page::add(const std::string& key, json::object item) {
    last_ = key;
    items_.push_back(std::move(item));
}

Response Page::response() {
    json::object body{{"items", std::move(items_)}, {"next", nullptr}};
    if (is_cut_) body["next"] = last_;
    return Response::json(json::serialize(body));
}

void add_list_routes(http::Router& router, Runtime& runtime, Store& store, JobService& service) {
    using http::Access;
    using http::Method;
    const auto list = [&](std::string pattern, std::string summary, auto handler) {
        router.add(http::Route{
            Method::get,
            std::move(pattern),
            Access::read,
            std::move(summary),
            [&service, handler](Request request) { return handler(service, std::move(request)); }
        });
    };
    router.add(http::Route{
        Method::get,
        "/api/v1/apps",
        Access::read,
        "List applications",
        [&runtime, &store, &service](Request request) {
            return apps(runtime, store, service, std::move(request));
        }
    });
    list("/api/v1/components", "List components", list_components);
    list("/api/v1/placements", "List placements", list_placements);
}

}  // namespace icos::job_manager
