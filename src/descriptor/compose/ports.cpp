// SPDX-License-Identifier: Apache-2.0
#include "compose/service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace icos::descriptor::compose {
namespace {

constexpr std::array<std::string_view, 5> kLongKeys{"target", "published", "host_ip", "protocol", "mode"};
constexpr std::array<std::string_view, 3> kProtocols{"tcp", "udp", "sctp"};
constexpr std::array<std::string_view, 2> kModes{"host", "ingress"};
constexpr std::size_t kMostPorts = 1024;

struct Range {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    std::size_t size() const { return static_cast<std::size_t>(last - first) + 1U; }
};

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint64_t value = 0;
    if (text.size() > 5 || !parse_uint(text, value) || value > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(value);
}

std::optional<Range> parse_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = parse_port(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    return Range{*first, *last};
}

struct Mapping {
    Range target;
    std::optional<Range> published;
    std::string host_ip;
    std::string protocol = "tcp";
};

bool is_address(std::string_view text) {
    const bool v6 = text.find(':') != std::string_view::npos;
    return !text.empty() &&
           text.find_first_not_of(v6 ? "0123456789abcdefABCDEF:." : "0123456789.") == std::string_view::npos;
}

bool is_loopback(std::string_view address) {
    return address == "::1" || address.starts_with("127.");
}

/// What is wrong with a mapping, or empty.
std::string parse_short(std::string_view text, Mapping& mapping) {
    if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
        mapping.protocol = std::string(text.substr(slash + 1));
        text = text.substr(0, slash);
    }
    const std::size_t colon = text.rfind(':');
    const auto target = parse_range(colon == std::string_view::npos ? text : text.substr(colon + 1));
    if (!target || target->first == 0) return "the container's port is not a port or range";
    mapping.target = *target;
    if (colon == std::string_view::npos) return {};
    std::string_view host = text.substr(0, colon);
    std::string_view published = host;
    if (host.starts_with('[')) {
        const std::size_t close = host.find(']');
        if (close == std::string_view::npos || close + 1 >= host.size() || host[close + 1] != ':')
            return "an IPv6 address is written [::1]:80:80";
        mapping.host_ip = std::string(host.substr(1, close - 1));
        published = host.substr(close + 2);
    } else if (const std::size_t last = host.rfind(':'); last != std::string_view::npos) {
        mapping.host_ip = std::string(host.substr(0, last));
        published = host.substr(last + 1);
        if (mapping.host_ip.find(':') != std::string::npos) return "an IPv6 address is written [::1]:80:80";
    }
    if (host != published && !is_address(mapping.host_ip))
        return fmt::format("\"{}\" is not an address", mapping.host_ip);
    if (published.empty()) return {};
    const auto range = parse_range(published);
    if (!range) return "the host's port is not a port or range";
    if (range->first != 0) mapping.published = *range;
    return {};
}

std::string check(const Mapping& mapping, std::size_t ports) {
    if (std::find(kProtocols.begin(), kProtocols.end(), mapping.protocol) == kProtocols.end()) {
        return fmt::format("unknown protocol \"{}\" ({})", mapping.protocol, enumerate(kProtocols));
    }
    if (mapping.published && mapping.published->size() != mapping.target.size())
        return "the ranges of host and container differ in length";
    if (ports + mapping.target.size() > kMostPorts) return fmt::format("more than {} ports", kMostPorts);
    return {};
}

void add(const Mapping& mapping, const Field& field, Service& service, boost::json::array& list) {
    const std::string problem = check(mapping, list.size());
    if (!problem.empty()) return field.fail("C002", problem);
    if (!field.report().may_expand(mapping.target.size(), field.node().at, field.path())) return;
    for (std::size_t i = 0; i < mapping.target.size(); ++i) {
        boost::json::object port{{"target", mapping.target.first + i}};
        if (mapping.published) port["published"] = mapping.published->first + i;
        if (!mapping.host_ip.empty()) port["host_ip"] = mapping.host_ip;
        port["protocol"] = mapping.protocol;
        list.push_back(std::move(port));
        if (mapping.protocol == "tcp") {
            const auto number = static_cast<std::uint16_t>(mapping.target.first + i);
            service.listens.push_back({service.name, number, !is_loopback(mapping.host_ip)});
        }
        if (!mapping.published) continue;
        service.ports.push_back({
            .port =
                {mapping.host_ip, static_cast<std::uint16_t>(mapping.published->first + i), mapping.protocol},
            .at = field.node().at,
            .path = field.path(),
            .owner = service.name,
        });
    }
}

std::optional<Mapping> read_long(const Field& field) {
    supported_keys(field, kLongKeys);
    Mapping mapping;
    const auto target = field.at("target");
    if (!target) {
        field.report().add(
            "C002",
            field.node().first_key(),
            field.path(),
            "ports: target is missing",
            {.hint = "the container's port"}
        );
        return std::nullopt;
    }
    const auto number = whole(*target, 1, 65535);
    if (!number) return std::nullopt;
    mapping.target.first = mapping.target.last = static_cast<std::uint16_t>(*number);
    if (const auto published = field.at("published")) {
        const auto host = whole(*published, 0, 65535);
        if (!host) return std::nullopt;
        const auto port = static_cast<std::uint16_t>(*host);
        if (port != 0) mapping.published = Range{port, port};
    }
    if (const auto ip = field.at("host_ip")) {
        mapping.host_ip = text(*ip).value_or("");
        if (!is_address(mapping.host_ip))
            ip->fail("C002", fmt::format("\"{}\" is not an address", mapping.host_ip));
    }
    if (const auto protocol = field.at("protocol")) mapping.protocol = text(*protocol).value_or("tcp");
    if (const auto mode = field.at("mode")) mode->one_of(kModes, "C002");
    return mapping;
}

}  // namespace

void read_ports(const Field& field, Service& service) {
    if (!field.expect_list("C002")) return;
    boost::json::array list;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item = field.item(i);
        if (item.node().is_map()) {
            if (const auto mapping = read_long(item)) add(*mapping, item, service, list);
        } else if (const auto written = text(item)) {
            Mapping mapping;
            const std::string problem = parse_short(*written, mapping);
            if (problem.empty()) {
                add(mapping, item, service, list);
            } else {
                item.fail(
                    "C002",
                    fmt::format("\"{}\": {}", *written, problem),
                    {.hint = "write [IP:][HOST:]CONTAINER[/PROTOCOL]"}
                );
            }
        }
    }
    service.out["ports"] = std::move(list);
}

void read_expose(const Field& field, Service& service) {
    if (!field.expect_list("C002")) return;
    boost::json::array list;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item = field.item(i);
        const auto written = text(item);
        if (!written) continue;
        Mapping mapping;
        std::string problem = parse_short(*written, mapping);
        if (problem.empty() && written->find(':') != std::string::npos)
            problem = "expose publishes nothing on the host";
        if (problem.empty()) problem = check(mapping, list.size());
        if (!problem.empty()) {
            item.fail(
                "C002", fmt::format("\"{}\": {}", *written, problem), {.hint = "write PORT[/PROTOCOL]"}
            );
            continue;
        }
        if (!field.report().may_expand(mapping.target.size(), item.node().at, item.path())) return;
        for (std::size_t k = 0; k < mapping.target.size(); ++k) {
            list.push_back(
                boost::json::object{{"target", mapping.target.first + k}, {"protocol", mapping.protocol}}
            );
            if (mapping.protocol == "tcp")
                service.listens.push_back(
                    {service.name, static_cast<std::uint16_t>(mapping.target.first + k), false}
                );
        }
    }
    service.out["expose"] = std::move(list);
}

}  // namespace icos::descriptor::compose
