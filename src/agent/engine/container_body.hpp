// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "agent/engine/compose_reader.hpp"
#include "icos/agent/container_plan.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace icos::agent {

/// What the surroundings of a service contribute to its container.
struct BodyContext {
    boost::json::object labels;
    const std::map<std::string, std::string>* environment = nullptr;  ///< wins over the manifest's
    bool engine_restarts = true;  ///< false: the agent restarts it, which knows whether it may
    /// Engine name of a named volume of the manifest.
    std::function<std::string(const std::string&)> volume;
    std::vector<NetworkAttachment> networks;  ///< the first one becomes part of the body
};

/// The create body of a service (canonical compose), HostConfig and the primary network included.
boost::json::object container_body(const ComposeReader& service, const BodyContext& context);
std::vector<PublishedPort> published_ports(const ComposeReader& service);

}  // namespace icos::agent
