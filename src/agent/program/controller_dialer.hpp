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

/// Dials `wss://controller/agent/v1/link` with the node's certificate and the pinned authority. A renewed
/// certificate is used from the next call on, and kept in the identity's file.
class ControllerDialer final : public Dialer {
public:
    ControllerDialer(Runtime& runtime, Disk& disk, std::string state_dir, Identity identity)
        : runtime_(runtime), disk_(disk), state_dir_(std::move(state_dir)), identity_(std::move(identity)) {}
    Task<Result<std::unique_ptr<http::FrameStream>>> dial(std::string controller) override;
    /// core.invalid if it is not one for this node's key; store.full, core.io if it could not be kept.
    Task<Result<void>> take_certificate(std::string certificate) override;

private:
    Runtime& runtime_;
    Disk& disk_;
    std::string state_dir_;
    Identity identity_;
};

}  // namespace icos::agent
