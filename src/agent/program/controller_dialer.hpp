// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/agent.hpp"
#include "icos/http/client.hpp"
#include "identity.hpp"

#include <string>

namespace icos::agent {

inline constexpr std::string_view kAgentProtocol = "icos-agent/1";

/// Endpoint of a controller as this key holder sees it. core.invalid for an address that is none.
Result<http::Endpoint> controller_endpoint(
    const std::string& controller,
    const std::string& pin,
    const std::string& certificate,
    const std::string& key
);

/// Dials `wss://controller/agent/v1/link` with the node's certificate and the pinned authority.
class ControllerDialer final : public Dialer {
public:
    ControllerDialer(Runtime& runtime, const Identity& identity) : runtime_(runtime), identity_(identity) {}
    Task<Result<std::unique_ptr<http::FrameStream>>> dial(std::string controller) override;

private:
    Runtime& runtime_;
    const Identity& identity_;
};

}  // namespace icos::agent
