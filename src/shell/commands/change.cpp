// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "commands/waiting.hpp"
#include "output/document.hpp"
#include "output/format.hpp"

#include <cstdio>

namespace icos::shell {
namespace {

Task<Result<boost::json::value>> post(Context& context, std::string app, const char* verb) {
    const std::string target = "/api/v1/apps/" + http::percent_encode(app) + "/" + verb;
    return context.api.send(http::Method::post, context.in_project(target), {}, {});
}

}  // namespace

Task<int> stop(Context& context, ChangeOptions options) {
    Result<boost::json::value> answer = co_await post(context, options.app, "stop");
    if (answer.has_error()) co_return report(answer.error());
    std::printf("%s: stopping\n", options.app.c_str());
    if (!options.wait) co_return kDone;
    co_return co_await wait_for(context, options.app, Goal::stopped, options.timeout);
}

Task<int> start(Context& context, ChangeOptions options) {
    Result<boost::json::value> answer = co_await post(context, options.app, "start");
    if (answer.has_error()) co_return report(answer.error());
    std::printf("%s: starting\n", options.app.c_str());
    if (!options.wait) co_return kDone;
    co_return co_await wait_for(context, options.app, Goal::running, options.timeout);
}

Task<int> remove(Context& context, ChangeOptions options) {
    const std::string target = context.in_project("/api/v1/apps/" + http::percent_encode(options.app));
    Result<boost::json::value> answer = co_await context.api.send(http::Method::del, target, {}, {});
    if (answer.has_error()) co_return report(answer.error());
    const std::size_t components = list_of(*answer, "components").size();
    std::printf(
        "%s: stopping %zu component%s ...\n", options.app.c_str(), components, components == 1 ? "" : "s"
    );
    std::fflush(stdout);
    if (!options.wait) co_return kDone;
    co_return co_await wait_for(context, options.app, Goal::gone, options.timeout);
}

}  // namespace icos::shell
