// SPDX-License-Identifier: Apache-2.0
#include "routes.hpp"

#include <boost/json/serialize.hpp>

namespace icos::job_manager {
namespace {

namespace json = boost::json;
using http::Request;
using http::Response;

constexpr std::size_t kCredentialBody = 16U << 10U;

Task<Result<Response>> list_credentials(JobService& service, Request request) {
    auto page = Page::of(request);
    if (page.has_error()) co_return page.error();
    const std::string project = project_of(request);
    for (const auto& [key, credential] : service.credentials()) {
        if (key.first == project && page->wants(key.second)) page->add(key.second, to_json(credential));
    }
    co_return page->response();
}

Task<Result<Response>> put_credential(JobService& service, Request request) {
    Result<Credential> credential = credential_in(request.body, request.param("name"));
    if (credential.has_error()) co_return credential.error();
    credential->project = project_of(request);
    credential->actor = request.caller.subject;
    auto shown = co_await service.set_credential(std::move(*credential));
    if (shown.has_error()) co_return shown.error();
    co_return Response::json(json::serialize(*shown));
}

Task<Result<Response>> delete_credential(JobService& service, Request request) {
    std::string name(request.param("name"));
    const auto removed =
        co_await service.remove_credential(project_of(request), std::move(name), request.caller.subject);
    if (removed.has_error()) co_return removed.error();
    co_return Response::no_content();
}

}  // namespace

void add_credential_routes(http::Router& router, JobService& service) {
    using http::Access;
    using http::Method;
    router.add(http::Route{
        Method::get,
        "/api/v1/credentials",
        Access::read,
        "Registry credentials, without their passwords",
        [&service](Request request) { return list_credentials(service, std::move(request)); }
    });
    router.add(http::Route{
        Method::put,
        "/api/v1/credentials/{name}",
        Access::write,
        "Store a registry credential under a name",
        [&service](Request request) { return put_credential(service, std::move(request)); },
        kCredentialBody
    });
    router.add(http::Route{
        Method::del,
        "/api/v1/credentials/{name}",
        Access::write,
        "Remove a registry credential that no application uses",
        [&service](Request request) { return delete_credential(service, std::move(request)); }
    });
}

}  // namespace icos::job_manager
