// SPDX-License-Identifier: Apache-2.0
#include "controller_dialer.hpp"

namespace icos::agent {
namespace {

constexpr Duration kDialTime{20'000};

}  // namespace

Result<http::Endpoint> controller_endpoint(
    const std::string& controller,
    const std::string& pin,
    const std::string& certificate,
    const std::string& key
) {
    Result<http::Endpoint> endpoint = http::parse_endpoint(controller);
    if (endpoint.has_error()) return endpoint;
    if (endpoint->kind != http::Endpoint::Kind::tls) {
        return Error{
            errc::invalid,
            "controller '" + controller + "' is not reached by TLS",
            "give its address as HOST:PORT"
        };
    }
    endpoint->pin = pin;
    endpoint->alpn = kAgentProtocol;
    endpoint->client_certificate = certificate;
    endpoint->client_key = key;
    return endpoint;
}

Task<Result<std::unique_ptr<http::FrameStream>>> ControllerDialer::dial(std::string controller) {
    Result<http::Endpoint> endpoint =
        controller_endpoint(controller, identity_.ca_pin, identity_.certificate, identity_.key);
    if (endpoint.has_error()) co_return endpoint.error();
    http::Client client(runtime_, std::move(*endpoint));
    co_return co_await client.websocket("/agent/v1/link", {}, kDialTime);
}

Task<Result<void>> ControllerDialer::take_certificate(std::string certificate) {
    const Result<WallTime> until = certificate_end(certificate, identity_.key);
    if (until.has_error()) co_return until.error();
    identity_.certificate = std::move(certificate);
    auto work = [&disk = disk_, directory = state_dir_, identity = identity_] {
        return save_identity(disk, directory, identity);
    };
    const Result<void> saved = co_await offload(runtime_, Pool::storage, std::move(work));
    co_return saved;
}

}  // namespace icos::agent
