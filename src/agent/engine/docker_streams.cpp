// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/docker_streams.hpp"

#include "agent/engine/engine_json.hpp"

namespace icos::agent {

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

}  // namespace icos::agent
