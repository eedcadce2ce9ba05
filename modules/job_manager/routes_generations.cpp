// SPDX-License-Identifier: Apache-2.0
#include "routes.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>

namespace icos::job_manager {
namespace {

namespace json = boost::json;
using http::Request;
using http::Response;

Task<Result<Response>> list_generations(JobService& service, Request request) {
    const auto found = service.find(project_of(request), request.param("name"));
    if (found.has_error()) co_return found.error();
    const App& app = **found;
    json::array items;
    for (auto it = app.stored_generations.rbegin(); it != app.stored_generations.rend(); ++it) {
        const auto& [generation, info] = *it;
        json::object item{
            {"generation", generation},
            {"at", nullptr},
            {"actor", info.actor},
            {"state", generation == app.generation ? "current" : "kept"},
            {"components", nullptr},
        };
        if (info.at) item["at"] = to_rfc3339(*info.at);
        if (info.components) item["components"] = *info.components;
        items.push_back(std::move(item));
    }
    Response response = Response::json(json::serialize(json::object{{"items", std::move(items)}}));
    response.headers["ETag"] = etag_of(app);
    co_return response;
}

Task<Result<Response>> get_generation(JobService& service, Request request) {
    const std::string_view word = request.param("generation");
    std::uint64_t generation = 0;
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), generation);
    if (failed != std::errc{} || end != word.data() + word.size()) {
        co_return Error{
            errc::invalid_query, "generation: \"" + std::string(word) + "\" is not a number", "use 1, 2, 3 …"
        };
    }
    std::string name(request.param("name"));
    auto text = co_await service.text_of_generation(project_of(request), std::move(name), generation);
    if (text.has_error()) co_return text.error();
    auto shown = co_await shown_text(service, std::move(request), generation, std::move(*text));
    if (shown.has_error()) co_return shown.error();
    Response response;
    response.content_type = "text/yaml";
    response.body = std::move(*shown);
    co_return response;
}

/// `{"generation": N}`, `{}` or nothing.
Result<std::optional<std::uint64_t>> generation_in(const std::string& body) {
    if (body.empty()) return std::nullopt;
    const Error wrong{
        errc::invalid_query,
        "the body is not an object with a generation from 1 on",
        R"(send {"generation": 3}, or nothing for the one before)"
    };
    boost::system::error_code failed;
    const json::value value = json::parse(body, failed);
    if (failed || !value.is_object()) return wrong;
    const json::value* generation = value.as_object().if_contains("generation");
    if (generation == nullptr || generation->is_null()) return std::nullopt;
    if (!generation->is_int64() || generation->as_int64() < 1) return wrong;
    return static_cast<std::uint64_t>(generation->as_int64());
}

Task<Result<Response>> roll_back(JobService& service, Request request) {
    const auto generation = generation_in(request.body);
    if (generation.has_error()) co_return generation.error();
    RollbackCommand command;
    command.project = project_of(request);
    command.name = request.param("name");
    command.generation = *generation;
    command.actor = request.caller.subject;
    command.if_match = if_match(request);
    command.dry_run = request.query_flag("dry_run");
    auto applied = co_await service.roll_back(std::move(command));
    if (applied.has_error()) co_return applied.error();
    co_return to_response(std::move(*applied));
}

}  // namespace

void add_generation_routes(http::Router& router, JobService& service) {
    using http::Access;
    using http::Method;
    const std::string app = "/api/v1/apps/{name}";
    router.add(http::Route{
        Method::get,
        app + "/generations",
        Access::read,
        "The generations of an application that are kept",
        [&service](Request request) { return list_generations(service, std::move(request)); }
    });
    router.add(http::Route{
        Method::get,
        app + "/generations/{generation}",
        Access::read,
        "The descriptor of a generation that is kept; values of secrets masked unless ?reveal",
        [&service](Request request) { return get_generation(service, std::move(request)); }
    });
    router.add(http::Route{
        Method::post,
        app + "/rollback",
        Access::write,
        "Go back to the descriptor of an earlier generation",
        [&service](Request request) { return roll_back(service, std::move(request)); }
    });
}

}  // namespace icos::job_manager
