// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/config/view.hpp"
#include "icos/core/time.hpp"

#include <string>

namespace icos::fleet {

struct Settings {
    std::string advertise;  ///< "host:port" in join commands
    std::string controller_id;
    std::string controller_name;
    Duration suspect_after{10'000};
    Duration lease{30'000};
    Duration certificate_validity{std::chrono::hours(24 * 90)};
    Duration certificate_grace{std::chrono::hours(24 * 30)};
    Duration token_validity{std::chrono::hours(1)};
    Duration hello_time{10'000};     ///< a new link has to say hello within this
    Duration duplicate_ping{5'000};  ///< how long a link may be silent when another one claims its identity
    Duration accept_time{60'000};    ///< for the node to confirm a desired set, before it is sent again
};

/// Keys of the section `modules.fleet`.
config::Schema schema();
/// `advertise` and the names are filled in by the module.
Settings read_settings(const config::View& view);
/// "host" -> "host:7443"; "host:port" stays; an IPv6 address gets brackets.
std::string with_port(std::string host);
/// The host of "host:port" without brackets.
std::string host_of(const std::string& address);

}  // namespace icos::fleet
