// SPDX-License-Identifier: Apache-2.0
#include "api.hpp"

#include <boost/json/parse.hpp>

namespace icos::shell {
namespace {

constexpr Duration kCallDeadline{60'000};

bool is_server_answer(unsigned status) {
    return status >= 200 && status < 300;
}

}  // namespace

Task<Result<std::optional<ServerEvent>>> EventReader::next() {
    for (;;) {
        const std::size_t end = buffer_.find("\n\n");
        if (end == std::string::npos) {
            Result<std::optional<std::string>> piece = co_await stream_->next();
            if (piece.has_error()) co_return piece.error();
            if (!*piece) co_return std::optional<ServerEvent>{};
            for (const char c : **piece) {
                if (c != '\r') buffer_ += c;
            }
            continue;
        }
        ServerEvent event;
        std::size_t at = 0;
        while (at < end) {
            std::size_t stop = buffer_.find('\n', at);
            if (stop > end) stop = end;
            const std::string_view line(buffer_.data() + at, stop - at);
            at = stop + 1;
            const std::size_t colon = line.find(':');
            if (colon == 0 || colon == std::string_view::npos) continue;
            const std::string_view field = line.substr(0, colon);
            std::string_view value = line.substr(colon + 1);
            if (value.starts_with(' ')) value.remove_prefix(1);
            if (field == "event") event.name = value;
            if (field == "id") event.id = value;
            if (field == "data") {
                if (!event.data.empty()) event.data += '\n';
                event.data += value;
            }
        }
        buffer_.erase(0, end + 2);
        if (event.name.empty() && event.data.empty()) continue;  // a keep-alive comment
        co_return std::optional<ServerEvent>{std::move(event)};
    }
}

Api::Api(Runtime& runtime, http::Endpoint endpoint, std::string token)
    : client_(runtime, std::move(endpoint)), token_(std::move(token)) {}

std::string Api::where() const {
    const http::Endpoint& endpoint = client_.endpoint();
    if (endpoint.kind == http::Endpoint::Kind::unix_socket) return endpoint.host;
    return endpoint.host + ":" + std::to_string(endpoint.port);
}

http::Headers Api::headers() const {
    http::Headers headers;
    headers.emplace("User-Agent", "icos");
    if (!token_.empty()) headers.emplace("Authorization", "Bearer " + token_);
    return headers;
}

Error Api::unreachable(const Error& cause) const {
    Error error{errc::unavailable, "the controller at " + where() + " cannot be reached: " + cause.detail};
    error.hint = cause.hint.empty()
                     ? "is icos-controller running? --controller or ICOS_CONTROLLER names another one"
                     : cause.hint;
    return error;
}

Task<Result<http::ClientResponse>> Api::exchange(http::ClientRequest request) {
    Result<http::ClientResponse> response = co_await client_.send(std::move(request), kCallDeadline);
    if (response.has_error()) co_return unreachable(response.error());
    if (!is_server_answer(response->status)) co_return http::error_from(*response);
    co_return response;
}

Task<Result<boost::json::value>> Api::get(std::string target) {
    return send(http::Method::get, std::move(target), {}, {});
}

Task<Result<boost::json::value>> Api::send(
    http::Method method, std::string target, std::string body, std::string content_type
) {
    http::ClientRequest request{method, std::move(target), headers(), std::move(body)};
    if (!content_type.empty()) request.headers.emplace("Content-Type", std::move(content_type));
    const Result<http::ClientResponse> response = co_await exchange(std::move(request));
    if (response.has_error()) co_return response.error();
    if (response->body.empty()) co_return boost::json::value{};
    boost::system::error_code failed;
    boost::json::value value = boost::json::parse(response->body, failed);
    if (failed) co_return Error{errc::internal, where() + " answered with something that is not JSON"};
    co_return value;
}

Task<Result<std::string>> Api::get_text(std::string target) {
    http::ClientRequest request{http::Method::get, std::move(target), headers(), {}};
    Result<http::ClientResponse> response = co_await exchange(std::move(request));
    if (response.has_error()) co_return response.error();
    co_return std::move(response->body);
}

Task<Result<std::unique_ptr<http::ClientStream>>> Api::open(std::string target, std::string accept) {
    http::ClientRequest request{http::Method::get, std::move(target), headers(), {}};
    request.headers.emplace("Accept", std::move(accept));
    Result<std::unique_ptr<http::ClientStream>> stream =
        co_await client_.stream(std::move(request), kCallDeadline);
    if (stream.has_error()) co_return unreachable(stream.error());
    if (is_server_answer((*stream)->status)) co_return std::move(*stream);

    http::ClientResponse refused{(*stream)->status, (*stream)->headers, {}};
    for (;;) {
        Result<std::optional<std::string>> piece = co_await (*stream)->next();
        if (piece.has_error() || !*piece) break;
        refused.body += **piece;
    }
    co_return http::error_from(refused);
}

Task<Result<EventReader>> Api::events(std::string target) {
    Result<std::unique_ptr<http::ClientStream>> stream =
        co_await open(std::move(target), "text/event-stream");
    if (stream.has_error()) co_return stream.error();
    co_return EventReader(std::move(*stream));
}

Task<Result<std::unique_ptr<http::ClientStream>>> Api::stream(std::string target) {
    return open(std::move(target), "*/*");
}

Task<Result<std::unique_ptr<http::FrameStream>>> Api::websocket(std::string target) {
    return client_.websocket(std::move(target), headers(), kCallDeadline);
}

}  // namespace icos::shell
