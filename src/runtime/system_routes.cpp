// SPDX-License-Identifier: Apache-2.0
#include "icos/http/router.hpp"
#include "icos/runtime/application.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace icos {
namespace {

using http::Access;
using http::Method;
using http::Request;
using http::Response;

Response health_answer(const Application& application, bool only_ready) {
    boost::json::object modules;
    bool ok = !only_ready || application.is_running();
    for (const Application::Status& status : application.health()) {
        modules[status.name] =
            boost::json::object{{"ok", status.health.ok}, {"detail", status.health.detail}};
        ok = ok && status.health.ok;
    }
    const boost::json::object body{{"status", ok ? "ok" : "failing"}, {"modules", modules}};
    return Response::json(boost::json::serialize(body), ok ? 200 : 503);
}

Task<Result<Response>> answer_health(const Application& application, bool only_ready) {
    co_return health_answer(application, only_ready);
}

Task<Result<Response>> answer(Response response) {
    co_return response;
}

}  // namespace

void add_system_routes(
    http::Router& router,
    Application& application,
    std::string version,
    std::string controller_id,
    std::string name,
    std::string_view openapi,
    std::function<std::string()> more_metrics
) {
    router.add({Method::get, "/healthz", Access::open, "Is it alive", [&application](Request) {
                    return answer_health(application, false);
                }});
    router.add({Method::get, "/readyz", Access::open, "Can it serve", [&application](Request) {
                    return answer_health(application, true);
                }});
    router.add(
        {Method::get,
         "/metrics",
         Access::read,
         "Metrics in Prometheus text",
         [&application, more_metrics = std::move(more_metrics)](Request) {
             Response response;
             response.content_type = "text/plain; version=0.0.4; charset=utf-8";
             response.body = application.metrics() + more_metrics();
             return answer(std::move(response));
         }}
    );
    router.add({Method::get, "/openapi.json", Access::open, "This document", [openapi](Request) {
                    return answer(Response::json(std::string(openapi)));
                }});
    router.add(
        {Method::get,
         "/api/v1/version",
         Access::open,
         "Version and identity of the controller",
         [&application, version, controller_id, name](Request) {
             boost::json::array modules;
             for (const std::string& module : application.module_names()) modules.emplace_back(module);
             const boost::json::object body{
                 {"version", version},
                 {"controller_id", controller_id},
                 {"name", name},
                 {"api", "v1"},
                 {"modules", modules}
             };
             return answer(Response::json(boost::json::serialize(body)));
         }}
    );
}

}  // namespace icos
