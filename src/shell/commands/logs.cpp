// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "output/format.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace icos::shell {
namespace {

void print_line(const Context& context, const LogsOptions& options, const std::string& text, bool many) {
    if (context.format == Format::json) {
        std::printf("%s\n", text.c_str());
        return;
    }
    boost::system::error_code failed;
    const boost::json::value line = boost::json::parse(text, failed);
    if (failed) return;
    std::string prefix;
    if (many) {
        prefix = text_of(line, "component") + "/" + text_of(line, "service");
        if (integer_of(line, "replica") > 0) prefix += "." + text_of(line, "replica");
        prefix += " | ";
    }
    if (options.timestamps) prefix = text_of(line, "ts") + " " + prefix;
    std::FILE* out = text_of(line, "stream") == "stderr" ? stderr : stdout;
    std::fprintf(out, "%s%s\n", prefix.c_str(), text_of(line, "line").c_str());
}

}  // namespace

Task<int> logs(Context& context, LogsOptions options) {
    const std::size_t slash = options.target.find('/');
    const std::string app = options.target.substr(0, slash);
    std::string target = "/api/v1/apps/" + http::percent_encode(app) + "/logs?";
    if (slash != std::string::npos)
        target += "component=" + http::percent_encode(options.target.substr(slash + 1)) + "&";
    if (!options.service.empty()) target += "service=" + http::percent_encode(options.service) + "&";
    if (!options.since.empty()) target += "since=" + http::percent_encode(options.since) + "&";
    if (options.tail) target += "tail=" + std::to_string(*options.tail) + "&";
    if (options.follow) target += "follow&";
    target.pop_back();

    Result<std::unique_ptr<http::ClientStream>> stream =
        co_await context.api.stream(context.in_project(std::move(target)));
    if (stream.has_error()) co_return report(stream.error());
    const bool many = slash == std::string::npos;
    std::string buffer;
    for (;;) {
        Result<std::optional<std::string>> piece = co_await (*stream)->next();
        if (piece.has_error()) co_return report(piece.error());
        if (!*piece) break;
        buffer += **piece;
        std::size_t at = 0;
        for (std::size_t end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n', at)) {
            if (end > at) print_line(context, options, buffer.substr(at, end - at), many);
            at = end + 1;
        }
        buffer.erase(0, at);
        std::fflush(stdout);
    }
    co_return kDone;
}

}  // namespace icos::shell
