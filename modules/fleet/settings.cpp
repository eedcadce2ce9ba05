// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <algorithm>

namespace icos::fleet {
namespace {

constexpr std::int64_t kDay = std::int64_t{24} * 3600 * 1000;
constexpr std::string_view kDefaultPort = "7443";

}  // namespace

config::Schema schema() {
    using config::Type;
    return config::Schema{{
        {"suspect_after",
         Type::duration,
         "10s",
         "Silence after which a node is suspect: nothing new is placed on it.",
         6'000,
         600'000},
        {"lease",
         Type::duration,
         "30s",
         "Silence after which a node is lost. Longer than suspect_after.",
         10'000,
         3'600'000},
        {"certificate_validity", Type::duration, "90d", "Validity of node certificates.", kDay, 3650 * kDay},
        {"certificate_grace",
         Type::duration,
         "30d",
         "How long after its expiry a certificate still opens a link at once; later it may only be renewed "
         "first.",
         0,
         3650 * kDay},
        {"token_validity", Type::duration, "1h", "Validity of join tokens that name none.", 60'000, 30 * kDay
        },
    }};
}

Settings read_settings(const config::View& view) {
    Settings settings;
    settings.suspect_after = view.duration("suspect_after");
    settings.lease = std::max(view.duration("lease"), settings.suspect_after + Duration{1000});
    settings.certificate_validity = view.duration("certificate_validity");
    settings.certificate_grace = view.duration("certificate_grace");
    settings.token_validity = view.duration("token_validity");
    return settings;
}

std::string with_port(std::string host) {
    const auto colons = std::count(host.begin(), host.end(), ':');
    if (host.starts_with('[')) {
        if (host.ends_with(']')) host += ":" + std::string(kDefaultPort);
        return host;
    }
    if (colons > 1) return "[" + host + "]:" + std::string(kDefaultPort);
    if (colons == 1) return host;
    return host + ":" + std::string(kDefaultPort);
}

std::string host_of(const std::string& address) {
    if (address.starts_with('[')) return address.substr(1, address.find(']') - 1);
    if (std::count(address.begin(), address.end(), ':') > 1) return address;
    return address.substr(0, address.find(':'));
}

}  // namespace icos::fleet
