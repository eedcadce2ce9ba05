// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "compose/scalars.hpp"
#include "facts.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace icos::descriptor::compose {

/// A service while its keys are read: its canonical form, and what has to be checked once all are known.
struct Service {
    explicit Service(std::string service_name) : name(std::move(service_name)) {}

    std::string name;
    boost::json::object out;
    std::vector<PortClaim> ports;
    std::vector<ServicePort> listens;
    std::vector<NamedPlace> networks;
    std::vector<NamedPlace> volumes;
    std::vector<NamedPlace> configs;
    std::vector<NamedPlace> secrets;
    std::vector<NamedPlace> dependencies;
    std::set<std::string> mounted;  ///< targets of mounts
    bool holds_data = false;
    std::uint64_t replicas = 1;
    std::string reserved_memory;  ///< as written, for the header's reading of it
    std::optional<std::size_t> reservations_line;
    std::optional<Position> restart_at;
};

/// Reads one service into its canonical form.
Service read_service(const Field& field, const std::string& name);

// One reader per key or group of keys; each writes its members into the service.
void read_ports(const Field& field, Service& service);
void read_expose(const Field& field, Service& service);
void read_volumes(const Field& field, Service& service);
void read_tmpfs(const Field& field, Service& service);
void read_devices(const Field& field, Service& service);
void read_configs(const Field& field, Service& service);
void read_secrets(const Field& field, Service& service);
void read_environment(const Field& field, Service& service);
void read_labels(const Field& field, Service& service);
void read_sysctls(const Field& field, Service& service);
void read_extra_hosts(const Field& field, Service& service);
void read_ulimits(const Field& field, Service& service);
void read_networks(const Field& field, Service& service);
void read_network_mode(const Field& field, Service& service);
void read_depends_on(const Field& field, Service& service);
void read_deploy(const Field& field, Service& service);
void read_limit(const Field& field, Service& service);
void read_healthcheck(const Field& field, Service& service);
void read_restart(const Field& field, Service& service);
void read_logging(const Field& field, Service& service);

/// {K: V} of labels, options and the like; a missing value is "".
std::optional<boost::json::object> string_map(const Field& field);
/// Labels; C002 for those the system keeps for itself.
std::optional<boost::json::object> labels(const Field& field);
/// The object under `key`, made if it is not there; the reference is valid until `parent` gets another
/// member.
boost::json::object& object_at(boost::json::object& parent, std::string_view key);

/// The top-level sections; `names` receives what services may refer to.
boost::json::object read_networks_section(const Field& field);
boost::json::object read_volumes_section(const Field& field);
/// configs and secrets
boost::json::object read_configs_section(const Field& field);
boost::json::object read_secrets_section(const Field& field);

/// C005 and C006.
struct Declared {
    const boost::json::object& networks;
    const boost::json::object& volumes;
    const boost::json::object& configs;
    const boost::json::object& secrets;
};
void check_references(const std::vector<Service>& services, const Declared& declared, Report& report);
void check_cycles(const std::vector<Service>& services, Report& report);

}  // namespace icos::descriptor::compose
