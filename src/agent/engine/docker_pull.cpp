// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/docker_pull.hpp"

#include "agent/engine/json_splitter.hpp"
#include "agent/engine/pull_progress.hpp"
#include "icos/agent/container_plan.hpp"

namespace icos::agent {
namespace {

constexpr Duration kSilence{300'000};

/// The next piece of a pull, kept outside the coroutine that may be cut off.
Task<> next_piece(http::ClientStream* stream, std::optional<Result<std::optional<std::string>>>* out) {
    Result<std::optional<std::string>> piece = co_await stream->next();
    out->emplace(std::move(piece));
}

}  // namespace

Task<Result<void>> pull_image(
    std::shared_ptr<DockerApi> api, std::string reference, std::string auth, PullProgress progress
) {
    const Result<ImageReference> parts = parse_image_reference(reference);
    if (parts.has_error()) co_return parts.error();
    ApiCall call;
    call.method = http::Method::post;
    call.path = "/images/create" + api_query(
                                       {{"fromImage", parts->registry + "/" + parts->repository},
                                        {"tag", parts->digest.empty() ? parts->tag : parts->digest}}
                                   );
    call.doing = "pull " + quoted("image", reference);
    // The engine answers once the registry has, which may take its time to find out.
    call.deadline = kSlow;
    if (!auth.empty()) call.headers["X-Registry-Auth"] = std::move(auth);
    Result<std::unique_ptr<http::ClientStream>> stream = co_await DockerApi::stream(api, std::move(call));
    if (stream.has_error()) {
        Error error = stream.error();
        if (error.code == engine_errc::not_found) error.code = engine_errc::image_not_found;
        co_return error;
    }
    JsonSplitter splitter;
    PullTally tally;
    while (true) {
        std::optional<Result<std::optional<std::string>>> piece;
        const bool in_time =
            co_await finish_within(api->runtime(), kSilence, next_piece(stream->get(), &piece));
        if (!in_time || !piece) {
            co_return Error{
                engine_errc::failed,
                "cannot pull " + quoted("image", reference) + ": nothing came for 5 minutes",
                "check the node's connection to " + parts->registry
            };
        }
        if (piece->has_error()) co_return api->broken(piece->error());
        if (!(*piece)->has_value()) co_return Result<void>();
        splitter.feed(***piece);
        while (true) {
            const Result<std::optional<boost::json::value>> line = splitter.next();
            if (line.has_error()) co_return line.error();
            if (!line->has_value()) break;
            const Result<void> taken = tally.line(**line, reference);
            if (taken.has_error()) co_return taken.error();
        }
        if (progress) progress(tally.current(), tally.total());
    }
}

}  // namespace icos::agent
