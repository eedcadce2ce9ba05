// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/docker_streams.hpp"

#include "agent/engine/engine_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::agent {
namespace {

/// Seconds with a fraction, as `since` takes them.
std::string engine_seconds(std::int64_t ms) {
    std::string fraction = std::to_string(ms % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    return std::to_string(ms / 1000) + "." + fraction + "000000";
}

}  // namespace

Task<Result<std::optional<EngineEvent>>> DockerEvents::next() {
    while (true) {
        Result<std::optional<boost::json::value>> value = splitter_.next();
        if (value.has_error()) co_return value.error();
        if (value->has_value()) co_return std::optional<EngineEvent>(engine_event(**value));
        Result<std::optional<std::string>> piece = co_await stream_->next();
        if (piece.has_error()) co_return api_->broken(piece.error());
        if (!piece->has_value()) co_return std::optional<EngineEvent>();
        splitter_.feed(**piece);
    }
}

Task<Result<std::optional<LogLine>>> DockerLogs::next() {
    while (true) {
        if (auto line = lines_.next()) co_return std::optional<LogLine>(std::move(line));
        if (has_ended_) co_return std::optional<LogLine>();
        Result<std::optional<std::string>> piece = co_await stream_->next();
        if (piece.has_error()) co_return api_->broken(piece.error());
        if (!piece->has_value()) {
            has_ended_ = true;
            lines_.finish();
            continue;
        }
        const Result<void> fed = lines_.feed(**piece);
        if (fed.has_error()) co_return fed.error();
    }
}

Task<Result<std::optional<ExecSession::Output>>> DockerExec::read() {
    while (true) {
        if (!tty_) {
            Result<std::optional<LogDemultiplexer::Piece>> piece = demultiplexer_.next();
            if (piece.has_error()) co_return piece.error();
            if (piece->has_value()) {
                co_return std::optional<Output>(Output{(*piece)->is_stderr, std::move((*piece)->bytes)});
            }
        }
        Result<std::optional<std::string>> bytes = co_await stream_->next();
        if (bytes.has_error()) co_return api_->broken(bytes.error());
        if (!bytes->has_value()) co_return std::optional<Output>();
        if (tty_) co_return std::optional<Output>(Output{false, std::move(**bytes)});
        demultiplexer_.feed(**bytes);
    }
}

Task<Result<void>> DockerExec::write(std::string input) {
    Result<void> written = co_await stream_->write(std::move(input));
    if (written.has_error()) co_return api_->broken(written.error());
    co_return written;
}

void DockerExec::close_input() {
    // A Unix socket always has a write half; if it is gone already, so is the input.
    static_cast<void>(stream_->shutdown_write());
}

Task<Result<void>> DockerExec::resize(std::uint32_t rows, std::uint32_t columns) {
    ApiCall call;
    call.method = http::Method::post;
    call.path =
        "/exec/" + id_ + "/resize" + api_query({{"h", std::to_string(rows)}, {"w", std::to_string(columns)}});
    call.doing = "resize the terminal";
    const Result<http::ClientResponse> answer = co_await DockerApi::call(api_, std::move(call));
    if (answer.has_error()) co_return answer.error();
    co_return Result<void>();
}

Task<Result<int>> DockerExec::exit_code() {
    // The engine ends the output a moment before it notes the exit.
    constexpr Duration kPause{50};
    constexpr int kAttempts = 100;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        ApiCall call;
        call.path = "/exec/" + id_ + "/json";
        call.doing = "ask for the exit code of a command";
        const Result<boost::json::value> state = co_await DockerApi::json(api_, std::move(call));
        if (state.has_error()) co_return state.error();
        if (!flag_at(*state, "/Running")) co_return static_cast<int>(integer_at(*state, "/ExitCode"));
        co_await sleep_for(api_->runtime(), kPause);
    }
    co_return Error{engine_errc::failed, "the command has closed its output but goes on running"};
}

Task<Result<std::unique_ptr<EngineStream<EngineEvent>>>> open_events(
    std::shared_ptr<DockerApi> api, LabelMap labels
) {
    ApiCall call;
    call.path = "/events" + api_query({{"filters", label_filter(labels, "container")}});
    call.doing = "follow the engine's events";
    Result<std::unique_ptr<http::ClientStream>> stream = co_await DockerApi::stream(api, std::move(call));
    if (stream.has_error()) co_return stream.error();
    co_return std::unique_ptr<EngineStream<EngineEvent>>(
        std::make_unique<DockerEvents>(api, std::move(*stream))
    );
}

Task<Result<std::unique_ptr<EngineStream<LogLine>>>> open_logs(
    std::shared_ptr<DockerApi> api, std::string id, LogQuery query
) {
    // Only the container's configuration says in which of the two formats the logs come.
    ApiCall look;
    look.path = container_path(id, "/json");
    look.doing = "inspect " + quoted("container", id);
    const Result<boost::json::value> container = co_await DockerApi::json(api, std::move(look));
    if (container.has_error()) co_return container.error();
    const bool tty = flag_at(*container, "/Config/Tty");
    ApiCall call;
    call.path =
        container_path(id, "/logs") +
        api_query(
            {{"stdout", "1"},
             {"stderr", "1"},
             {"timestamps", "1"},
             {"follow", query.follow ? "1" : ""},
             {"since", query.since_ms ? engine_seconds(std::max<std::int64_t>(0, *query.since_ms)) : ""},
             {"tail", query.tail ? std::to_string(*query.tail) : ""}}
        );
    call.doing = "read the logs of " + quoted("container", id);
    Result<std::unique_ptr<http::ClientStream>> stream = co_await DockerApi::stream(api, std::move(call));
    if (stream.has_error()) co_return stream.error();
    co_return std::unique_ptr<EngineStream<LogLine>>(
        std::make_unique<DockerLogs>(api, std::move(*stream), tty)
    );
}

Task<Result<std::unique_ptr<ExecSession>>> open_exec(
    std::shared_ptr<DockerApi> api, std::string id, ExecQuery query
) {
    boost::json::array command;
    for (std::string& word : query.command) command.emplace_back(std::move(word));
    boost::json::object body{
        {"AttachStdin", query.interactive}, {"AttachStdout", true}, {"AttachStderr", true}, {"Tty", query.tty}
    };
    body["Cmd"] = std::move(command);
    ApiCall create;
    create.method = http::Method::post;
    create.path = container_path(id, "/exec");
    create.body = boost::json::serialize(body);
    create.doing = "run a command in " + quoted("container", id);
    const std::string doing = create.doing;
    const Result<boost::json::value> created = co_await DockerApi::json(api, std::move(create));
    if (created.has_error()) co_return created.error();
    std::string exec_id(text_at(*created, "/Id"));
    ApiCall start;
    start.method = http::Method::post;
    start.path = "/exec/" + http::percent_encode(exec_id) + "/start";
    start.body = boost::json::serialize(boost::json::object{{"Detach", false}, {"Tty", query.tty}});
    start.doing = doing;
    start.headers["Connection"] = "Upgrade";
    start.headers["Upgrade"] = "tcp";
    Result<std::unique_ptr<http::ClientStream>> stream = co_await DockerApi::stream(api, std::move(start));
    if (stream.has_error()) co_return stream.error();
    co_return std::unique_ptr<ExecSession>(
        std::make_unique<DockerExec>(api, std::move(*stream), std::move(exec_id), query.tty)
    );
}

}  // namespace icos::agent
