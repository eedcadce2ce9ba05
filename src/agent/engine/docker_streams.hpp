// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "agent/engine/docker_api.hpp"
#include "agent/engine/json_splitter.hpp"
#include "agent/engine/log_lines.hpp"
#include "icos/agent/engine.hpp"

#include <memory>
#include <optional>
#include <string>

namespace icos::agent {

/// GET /events.
class DockerEvents final : public EngineStream<EngineEvent> {
public:
    DockerEvents(std::shared_ptr<DockerApi> api, std::unique_ptr<http::ClientStream> stream)
        : api_(std::move(api)), stream_(std::move(stream)) {}
    Task<Result<std::optional<EngineEvent>>> next() override;

private:
    std::shared_ptr<DockerApi> api_;
    std::unique_ptr<http::ClientStream> stream_;
    JsonSplitter splitter_;
};

/// GET /containers/{id}/logs.
class DockerLogs final : public EngineStream<LogLine> {
public:
    DockerLogs(std::shared_ptr<DockerApi> api, std::unique_ptr<http::ClientStream> stream, bool tty)
        : api_(std::move(api)), stream_(std::move(stream)), lines_(tty) {}
    Task<Result<std::optional<LogLine>>> next() override;

private:
    std::shared_ptr<DockerApi> api_;
    std::unique_ptr<http::ClientStream> stream_;
    LogLines lines_;
    bool has_ended_ = false;
};

/// POST /exec/{id}/start, upgraded to a raw connection.
class DockerExec final : public ExecSession {
public:
    DockerExec(
        std::shared_ptr<DockerApi> api, std::unique_ptr<http::ClientStream> stream, std::string id, bool tty
    )
        : api_(std::move(api)), stream_(std::move(stream)), id_(std::move(id)), tty_(tty) {}
    Task<Result<std::optional<Output>>> read() override;
    Task<Result<void>> write(std::string input) override;
    void close_input() override;
    Task<Result<void>> resize(std::uint32_t rows, std::uint32_t columns) override;
    Task<Result<int>> exit_code() override;

private:
    std::shared_ptr<DockerApi> api_;
    std::unique_ptr<http::ClientStream> stream_;
    std::string id_;
    bool tty_;
    LogDemultiplexer demultiplexer_;
};

Task<Result<std::unique_ptr<EngineStream<EngineEvent>>>> open_events(
    std::shared_ptr<DockerApi> api, LabelMap labels
);
Task<Result<std::unique_ptr<EngineStream<LogLine>>>> open_logs(
    std::shared_ptr<DockerApi> api, std::string id, LogQuery query
);
Task<Result<std::unique_ptr<ExecSession>>> open_exec(
    std::shared_ptr<DockerApi> api, std::string id, ExecQuery query
);

}  // namespace icos::agent
