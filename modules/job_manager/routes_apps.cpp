// SPDX-License-Identifier: Apache-2.0
#include "icos/descriptor/descriptor.hpp"
#include "icos/http/event_stream.hpp"
#include "routes.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace icos::job_manager {
namespace {

namespace json = boost::json;
using http::Request;
using http::Response;

/// The descriptor's own limit is 1 MiB and has a better message than a cut connection: let a little more in.
constexpr std::size_t kDescriptorBody = (1U << 20U) + (64U << 10U);

std::string_view word(ApplyResult result) {
    switch (result) {
        case ApplyResult::created:
            return "created";
        case ApplyResult::updated:
            return "updated";
        case ApplyResult::unchanged:
            return "unchanged";
        case ApplyResult::dry_run:
            return "dry_run";
    }
    return "updated";
}

Task<Result<Response>> put_app(JobService& service, Request request) {
    ApplyCommand command;
    command.project = project_of(request);
    command.name = request.param("name");
    command.text = std::move(request.body);
    command.actor = request.caller.subject;
    command.if_match = if_match(request);
    command.dry_run = request.query_flag("dry_run");
    auto applied = co_await service.apply(std::move(command));
    if (applied.has_error()) co_return applied.error();
    co_return to_response(std::move(*applied));
}

Response show_app(const JobService& service, const App& app) {
    Response response = Response::json(json::serialize(service.show(app, Detail::with_services)));
    response.headers["ETag"] = etag_of(app);
    return response;
}

Task<Result<Response>> get_app(Runtime& runtime, JobService& service, Request request) {
    const auto app = service.find(project_of(request), request.param("name"));
    if (app.has_error()) co_return app.error();
    if (!request.query_flag("watch")) co_return show_app(service, **app);
    auto stream = std::make_shared<http::EventStream>(runtime);
    stream->push("app", {}, json::serialize(service.show(**app, Detail::with_services)));
    service.watchers().watch((*app)->id, stream);
    co_return http::EventStream::response(std::move(stream));
}

Task<Result<Response>> get_descriptor(JobService& service, Request request) {
    const auto app = service.find(project_of(request), request.param("name"));
    if (app.has_error()) co_return app.error();
    Response response;
    response.content_type = "application/yaml";
    response.headers["ETag"] = etag_of(**app);
    const std::uint64_t generation = (*app)->generation;
    std::string text = (*app)->text;
    auto shown = co_await shown_text(service, std::move(request), generation, std::move(text));
    if (shown.has_error()) co_return shown.error();
    response.body = std::move(*shown);
    co_return response;
}

Task<Result<Response>> change(JobService& service, Request request, Desired desired) {
    std::string project = project_of(request);
    std::string name(request.param("name"));
    auto match = if_match(request);
    auto changed =
        co_await service.set_desired(project, name, desired, std::move(match), request.caller.subject);
    if (changed.has_error()) co_return changed.error();
    co_return Response::json(json::serialize(*changed), desired == Desired::deleted ? 202 : 200);
}

Task<Result<Response>> explain(JobService& service, Request request) {
    std::string name(request.param("name"));
    std::string component(request.query_or("component", ""));
    auto items = co_await service.explain(project_of(request), name, std::move(component));
    if (items.has_error()) co_return items.error();
    co_return Response::json(json::serialize(json::object{{"app", name}, {"items", std::move(*items)}}));
}

Task<Result<Response>> validate(Runtime& runtime, Request request) {
    auto parse = [text = std::move(request.body)] { return descriptor::parse(text); };
    const descriptor::Parsed parsed = co_await offload(runtime, Pool::compute, std::move(parse));
    const json::object body{
        {"valid", parsed.application.has_value()},
        {"diagnostics", json::parse(descriptor::to_json(parsed.diagnostics))},
    };
    co_return Response::json(json::serialize(body));
}

}  // namespace

std::optional<std::string> if_match(const Request& request) {
    const auto header = request.headers.find("If-Match");
    if (header == request.headers.end()) return std::nullopt;
    return header->second;
}

Response to_response(ApplyAnswer answer) {
    json::object body{
        {"result", word(answer.result)},
        {"app", std::move(answer.app)},
        {"warnings", json::parse(descriptor::to_json(answer.warnings))},
    };
    if (answer.result == ApplyResult::dry_run) body["explanations"] = std::move(answer.explanations);
    Response response =
        Response::json(json::serialize(body), answer.result == ApplyResult::created ? 201 : 200);
    if (!answer.etag.empty()) response.headers["ETag"] = answer.etag;
    return response;
}

Task<Result<std::string>> shown_text(
    JobService& service, Request request, std::uint64_t generation, std::string text
) {
    if (!request.query_flag("reveal")) {
        auto shown = co_await service.masked_text(std::move(text));
        co_return shown;
    }
    const std::string project = project_of(request);
    if (auto allowed = http::authorize(request.caller, http::Access::admin, project); allowed.has_error())
        co_return allowed.error();
    std::string name(request.param("name"));
    const auto noted =
        co_await service.note_reveal(project, std::move(name), generation, request.caller.subject);
    if (noted.has_error()) co_return noted.error();
    co_return text;
}

void add_app_routes(http::Router& router, Runtime& runtime, JobService& service) {
    using http::Access;
    using http::Method;
    const std::string app = "/api/v1/apps/{name}";
    router.add(http::Route{
        Method::put,
        app,
        Access::write,
        "Create or update an application from its descriptor",
        [&service](Request request) { return put_app(service, std::move(request)); },
        kDescriptorBody
    });
    router.add(http::Route{
        Method::get,
        app,
        Access::read,
        "One application",
        [&runtime, &service](Request request) { return get_app(runtime, service, std::move(request)); }
    });
    router.add(http::Route{
        Method::del,
        app,
        Access::write,
        "Delete an application; gone once every node confirmed",
        [&service](Request request) { return change(service, std::move(request), Desired::deleted); }
    });
    router.add(http::Route{
        Method::post,
        app + "/stop",
        Access::write,
        "Stop an application; volumes and networks stay",
        [&service](Request request) { return change(service, std::move(request), Desired::stopped); }
    });
    router.add(http::Route{
        Method::post,
        app + "/start",
        Access::write,
        "Start a stopped application",
        [&service](Request request) { return change(service, std::move(request), Desired::running); }
    });
    router.add(http::Route{
        Method::get,
        app + "/descriptor",
        Access::read,
        "The descriptor as it was applied; values of secrets masked unless ?reveal",
        [&service](Request request) { return get_descriptor(service, std::move(request)); }
    });
    router.add(http::Route{
        Method::get,
        app + "/explain",
        Access::read,
        "Why components are where they are, or pending",
        [&service](Request request) { return explain(service, std::move(request)); }
    });
    router.add(http::Route{
        Method::post,
        "/api/v1/validate",
        Access::read,
        "Check a descriptor",
        [&runtime](Request request) { return validate(runtime, std::move(request)); },
        kDescriptorBody
    });
}

}  // namespace icos::job_manager
