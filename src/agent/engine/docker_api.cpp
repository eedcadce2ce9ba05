// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/docker_api.hpp"

#include "agent/engine/engine_error.hpp"
#include "agent/engine/engine_json.hpp"

#include <boost/json/parse.hpp>

namespace icos::agent {
namespace {

http::Endpoint endpoint_of(const std::string& socket) {
    http::Endpoint endpoint;
    endpoint.kind = http::Endpoint::Kind::unix_socket;
    endpoint.host = socket;
    return endpoint;
}

constexpr std::size_t kMaxErrorBody = 64U << 10U;

Task<std::string> rest_of(http::ClientStream* stream) {
    std::string body;
    while (body.size() < kMaxErrorBody) {
        Result<std::optional<std::string>> piece = co_await stream->next();
        if (piece.has_error() || !piece->has_value()) break;
        body += **piece;
    }
    co_return body;
}

/// Docker names itself nowhere; Podman lists itself among the components.
std::string kind_of(const boost::json::value& version) {
    if (const auto* components = array_at(version, "/Components")) {
        for (const boost::json::value& component : *components) {
            if (text_at(component, "/Name").starts_with("Podman")) return "podman";
        }
    }
    return "docker";
}

}  // namespace

DockerApi::DockerApi(Runtime& runtime, std::string socket)
    : runtime_(runtime), socket_(std::move(socket)), client_(runtime, endpoint_of(socket_)) {}

Error DockerApi::broken(const Error& cause) {
    if (cause.code == errc::cancelled) return cause;
    version_.clear();
    return unreachable_error(cause, socket_);
}

http::ClientRequest DockerApi::request(ApiCall& call) const {
    http::ClientRequest out;
    out.method = call.method;
    out.target = (version_.empty() ? std::string() : "/v" + version_) + call.path;
    out.headers = std::move(call.headers);
    if (!call.body.empty()) out.headers["Content-Type"] = call.content_type;
    out.body = std::move(call.body);
    return out;
}

Task<Result<EngineInfo>> DockerApi::negotiate(std::shared_ptr<DockerApi> self) {
    self->version_.clear();
    ApiCall ask;
    ask.path = "/version";
    http::ClientRequest request = self->request(ask);
    const Result<http::ClientResponse> answer =
        co_await self->client_.send(std::move(request), Duration(10'000));
    if (answer.has_error()) co_return self->broken(answer.error());
    if (answer->status != 200)
        co_return engine_error(answer->status, answer->body, "ask the engine for its version");
    boost::system::error_code ec;
    const boost::json::value version = boost::json::parse(answer->body, ec);
    if (ec)
        co_return Error{
            engine_errc::failed, "what answers at '" + self->socket_ + "' is no container engine"
        };
    const std::string_view newest = text_at(version, "/ApiVersion");
    const auto chosen = negotiate_api(newest, text_at(version, "/MinAPIVersion"));
    if (!chosen) {
        co_return Error{
            engine_errc::refused,
            "the engine at '" + self->socket_ + "' speaks API version '" + std::string(newest) +
                "', 1.40 is needed",
            "upgrade it: Docker 19.03 or Podman 3 and later have it"
        };
    }
    EngineInfo info;
    info.kind = kind_of(version);
    info.version = text_at(version, "/Version");
    info.api_version = *chosen;
    info.architecture = normal_architecture(text_at(version, "/Arch"));
    self->version_ = *chosen;
    co_return info;
}

Task<Result<void>> DockerApi::ensure_version(std::shared_ptr<DockerApi> self) {
    if (!self->version_.empty()) co_return Result<void>();
    const Result<EngineInfo> info = co_await negotiate(self);
    if (info.has_error()) co_return info.error();
    co_return Result<void>();
}

Task<Result<http::ClientResponse>> DockerApi::call(std::shared_ptr<DockerApi> self, ApiCall call) {
    const Result<void> ready = co_await ensure_version(self);
    if (ready.has_error()) co_return ready.error();
    http::ClientRequest request = self->request(call);
    Result<http::ClientResponse> answer = co_await self->client_.send(std::move(request), call.deadline);
    if (answer.has_error()) co_return self->broken(answer.error());
    if (answer->status >= 400 && !call.fine_too.contains(answer->status)) {
        co_return engine_error(answer->status, answer->body, call.doing);
    }
    co_return std::move(*answer);
}

Task<Result<boost::json::value>> DockerApi::json(std::shared_ptr<DockerApi> self, ApiCall call) {
    const std::string doing = call.doing;
    const Result<http::ClientResponse> answer = co_await DockerApi::call(self, std::move(call));
    if (answer.has_error()) co_return answer.error();
    boost::system::error_code ec;
    boost::json::value value = boost::json::parse(answer->body, ec);
    if (ec) co_return Error{engine_errc::failed, "cannot " + doing + ": the engine's answer is not JSON"};
    co_return std::move(value);
}

Task<Result<std::unique_ptr<http::ClientStream>>> DockerApi::stream(
    std::shared_ptr<DockerApi> self, ApiCall call
) {
    const Result<void> ready = co_await ensure_version(self);
    if (ready.has_error()) co_return ready.error();
    http::ClientRequest request = self->request(call);
    Result<std::unique_ptr<http::ClientStream>> stream =
        co_await self->client_.stream(std::move(request), call.deadline);
    if (stream.has_error()) co_return self->broken(stream.error());
    const unsigned status = (*stream)->status;
    if (status == 200 || status == 101) co_return std::move(*stream);
    const std::string body = co_await rest_of(stream->get());
    co_return engine_error(status, body, call.doing);
}

/// Whole ids are for machines; twelve digits are what people see everywhere else.
std::string quoted(std::string_view what, std::string_view name) {
    constexpr std::size_t kId = 64;
    constexpr std::size_t kShort = 12;
    if (name.size() == kId && name.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
        name = name.substr(0, kShort);
    }
    return std::string(what) + " '" + std::string(name) + "'";
}

std::string container_path(std::string_view id, std::string_view rest) {
    return "/containers/" + http::percent_encode(id) + std::string(rest);
}

std::string api_query(std::initializer_list<std::pair<std::string_view, std::string>> values) {
    std::string out;
    for (const auto& [key, value] : values) {
        if (value.empty()) continue;
        out += out.empty() ? '?' : '&';
        out += key;
        out += '=';
        out += http::percent_encode(value);
    }
    return out;
}

std::string image_path(std::string_view reference) {
    std::string out;
    for (const char c : reference) {
        if (c == '/' || c == ':' || c == '@') {
            out += c;
        } else {
            out += http::percent_encode(std::string_view(&c, 1));
        }
    }
    return out;
}

}  // namespace icos::agent
