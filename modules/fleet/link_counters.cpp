// SPDX-License-Identifier: Apache-2.0
#include "link_counters.hpp"

#include "node_link.hpp"

namespace icos::fleet {

void LinkCounters::add(const NodeLink& link) {
    const link::Session::Counters counted = link.session.counters();
    bytes_in += counted.bytes_in;
    bytes_out += counted.bytes_out;
    if (link.sync) repeats += link.sync->repeats();
}

std::string to_prometheus(const LinkCounters& counters, std::size_t links) {
    std::string out;
    const auto metric = [&out](const char* name, const char* type, const char* labels, std::uint64_t value) {
        const std::string declared = std::string("# TYPE ") + name + " " + type + "\n";
        if (out.find(declared) == std::string::npos) out += declared;
        out += std::string(name) + labels + " " + std::to_string(value) + "\n";
    };
    metric("icos_fleet_links", "gauge", "", links);
    metric("icos_fleet_link_connects_total", "counter", "", counters.connects);
    metric("icos_fleet_link_reconnects_total", "counter", "", counters.reconnects);
    metric("icos_fleet_link_refused_total", "counter", "", counters.refused);
    metric("icos_fleet_link_replaced_total", "counter", "", counters.replaced);
    metric("icos_fleet_certificates_renewed_total", "counter", "", counters.certificates_renewed);
    metric("icos_fleet_link_bytes_total", "counter", "{direction=\"in\"}", counters.bytes_in);
    metric("icos_fleet_link_bytes_total", "counter", "{direction=\"out\"}", counters.bytes_out);
    metric("icos_fleet_desired_sent_total", "counter", "{form=\"full\"}", counters.desired_full);
    metric("icos_fleet_desired_sent_total", "counter", "{form=\"step\"}", counters.desired_step);
    metric("icos_fleet_desired_resends_total", "counter", "{cause=\"asked\"}", counters.resend_asked);
    metric("icos_fleet_desired_resends_total", "counter", "{cause=\"no_answer\"}", counters.repeats);
    metric("icos_fleet_observed_received_total", "counter", "{form=\"full\"}", counters.observed_full);
    metric("icos_fleet_observed_received_total", "counter", "{form=\"step\"}", counters.observed_step);
    metric("icos_fleet_observed_resends_total", "counter", "", counters.observed_asked);
    return out;
}

}  // namespace icos::fleet
