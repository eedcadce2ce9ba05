// SPDX-License-Identifier: Apache-2.0
#include "join.hpp"

#include "controller_dialer.hpp"
#include "icos/link/digest.hpp"

#include <cstdio>

namespace icos::agent {
namespace {

constexpr Duration kJoinTime{30'000};

std::string amount(std::uint64_t bytes) {
    char text[32];
    const double gib = static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0);
    if (gib >= 1)
        std::snprintf(text, sizeof(text), "%.1fGi", gib);
    else
        std::snprintf(text, sizeof(text), "%.0fMi", gib * 1024.0);
    return text;
}

/// "20.10.24+dfsg1" -> "20.10".
std::string short_version(const std::string& version) {
    const auto first = version.find('.');
    const auto second = first == std::string::npos ? first : version.find('.', first + 1);
    return version.substr(0, second);
}

Task<Result<Identity>> ask(
    Runtime& runtime, Disk& disk, JoinOptions options, Facts facts, std::string pin, std::string key
) {
    const std::string name = options.name.empty() ? facts.hostname : options.name;
    const Result<std::string> certificate = self_signed_certificate(key, name);
    if (certificate.has_error()) co_return certificate.error();
    Result<http::Endpoint> endpoint = controller_endpoint(options.controller, pin, *certificate, key);
    if (endpoint.has_error()) co_return endpoint.error();
    http::Client client(runtime, std::move(*endpoint));
    http::ClientRequest request;
    request.method = http::Method::post;
    request.target = "/agent/v1/join";
    request.headers["Content-Type"] = "application/json";
    request.body = encode(JoinRequest{options.token, options.name, facts});
    const Result<http::ClientResponse> response = co_await client.send(std::move(request), kJoinTime);
    if (response.has_error()) co_return response.error();
    std::printf("Controller %s answers, its certificate matches the token.\n", options.controller.c_str());
    if (response->status / 100 != 2) co_return http::error_from(*response);
    Result<JoinAnswer> answer = decode<JoinAnswer>(response->body);
    if (answer.has_error()) co_return answer.error();

    Identity identity;
    identity.node_id = answer->node_id;
    identity.name = answer->name;
    identity.cluster = answer->cluster;
    identity.controller_id = answer->controller_id;
    identity.controller_name = answer->controller_name;
    // The address that worked comes first: what the controller calls itself may not resolve here.
    identity.controllers = {options.controller};
    for (const std::string& controller : answer->controllers) {
        if (controller != options.controller) identity.controllers.push_back(controller);
    }
    identity.ca_pin = pin;
    identity.ca = answer->ca;
    identity.certificate = answer->certificate;
    identity.key = std::move(key);
    identity.docker_socket = options.docker_socket;
    identity.labels = options.labels;
    identity.devices = options.devices;
    const Result<void> saved = save_identity(disk, options.state_dir, identity);
    if (saved.has_error()) co_return saved.error();
    (void)disk.remove(options.state_dir + "/node.key");  // it is in the identity now
    co_return identity;
}

}  // namespace

std::string describe_node(const std::string& name, const Facts& facts) {
    std::string out = name + " (" + facts.architecture + ", " + std::to_string(facts.cpu_milli / 1000) +
                      (facts.cpu_milli == 1000 ? " core, " : " cores, ") + amount(facts.memory_bytes);
    out += facts.engine.empty() ? ", no container engine"
                                : ", " + facts.engine + " " + short_version(facts.engine_version);
    std::map<std::string, int> devices;
    for (const Device& device : facts.devices) ++devices[device.name.substr(device.name.rfind('/') + 1)];
    for (const auto& [kind, count] : devices) {
        out += ", " + std::to_string(count) + " " + kind + (count == 1 ? " device" : " devices");
    }
    return out + ")";
}

Task<Result<Identity>> join(Runtime& runtime, Disk& disk, JoinOptions options, Facts facts) {
    const std::optional<link::JoinToken> token = link::parse_join_token(options.token);
    if (!token) {
        co_return Error{
            errc::invalid,
            "that is not a join token (icos1.<hash>.<secret>)",
            "copy the whole line that `icos node token` prints"
        };
    }
    if (disk.exists(identity_path(options.state_dir))) {
        const Result<Identity> present = load_identity(disk, options.state_dir);
        const std::string who =
            present.has_error() ? "" : " as " + present->name + " (node " + present->node_id + ")";
        co_return Error{
            errc::invalid,
            "this machine has joined already" + who,
            "remove " + options.state_dir + " to make it another node, or use another --state-dir"
        };
    }
    Result<std::string> key = load_or_make_key(disk, options.state_dir);
    if (key.has_error()) co_return key.error();
    co_return co_await ask(
        runtime, disk, std::move(options), std::move(facts), token->ca_pin, std::move(*key)
    );
}

}  // namespace icos::agent
