// SPDX-License-Identifier: Apache-2.0
#include "contradictions.hpp"

#include "icos/runtime/application.hpp"

namespace icos::controller {
namespace {

bool is_loopback(const std::string& address) {
    return address == "localhost" || address == "::1" || address.starts_with("127.");
}

}  // namespace

std::vector<config::Problem> contradictions(
    const config::Config& config, const std::vector<ModuleDescriptor>& known
) {
    std::vector<config::Problem> problems;
    const config::View& listeners = config.section("listeners");
    const std::string& plain = listeners.text("plain_address");
    if (!plain.empty() && !is_loopback(plain) && !listeners.boolean("insecure")) {
        problems.push_back(
            {"listeners.plain_address",
             "plain HTTP on " + plain +
                 " would send tokens in clear; use the TLS listener, or set listeners.insecure: true"}
        );
    }
    if (listeners.text("operator_certificate").empty() != listeners.text("operator_key").empty()) {
        problems.push_back(
            {"listeners.operator_certificate",
             "certificate and operator_key come together; set both, or neither to have a self-signed pair "
             "made"}
        );
    }
    const auto order = start_order(known, config.section("modules").list("enabled"));
    if (order.has_error()) {
        problems.push_back({"modules.enabled", order.error().detail + "; " + order.error().hint});
    }
    return problems;
}

}  // namespace icos::controller
