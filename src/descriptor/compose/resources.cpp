// SPDX-License-Identifier: Apache-2.0
#include "compose/service.hpp"
#include "icos/descriptor/secrets.hpp"

#include <fmt/format.h>

#include <array>

namespace icos::descriptor::compose {
namespace {

using boost::json::object;

constexpr std::array<std::string_view, 7> kNetworkKeys{
    "driver", "internal", "labels", "driver_opts", "external", "name", "ipam"
};
constexpr std::array<std::string_view, 5> kVolumeKeys{"driver", "driver_opts", "labels", "external", "name"};
constexpr std::array<std::string_view, 4> kContentKeys{"content", "file", "environment", "external"};
constexpr std::array<std::string_view, 2> kIpamKeys{"driver", "config"};
constexpr std::array<std::string_view, 4> kSubnetKeys{"subnet", "gateway", "ip_range", "aux_addresses"};
constexpr std::array<std::string_view, 1> kIpamDrivers{"default"};

/// What networks and volumes have in common.
void read_common(const Field& field, object& out) {
    if (const auto value = field.at("driver")) out["driver"] = text(*value).value_or("");
    if (const auto value = field.at("driver_opts"); value && value->expect_map("C002")) {
        if (auto map = string_map(*value)) out["driver_opts"] = std::move(*map);
    }
    if (const auto value = field.at("labels")) {
        if (auto map = labels(*value)) out["labels"] = std::move(*map);
    }
    if (const auto value = field.at("external")) {
        if (const auto external = flag(*value)) out["external"] = *external;
    }
    if (const auto value = field.at("name")) out["name"] = text(*value).value_or("");
}

object read_ipam(const Field& field) {
    object ipam;
    if (!field.expect_map("C002")) return ipam;
    supported_keys(field, kIpamKeys);
    if (const auto driver = field.at("driver")) driver->one_of(kIpamDrivers, "C002");
    boost::json::array subnets;
    if (const auto config = field.at("config"); config && config->expect_list("C002")) {
        for (std::size_t i = 0; i < config->node().items.size(); ++i) {
            const Field item = config->item(i);
            if (!item.expect_map("C002")) continue;
            supported_keys(item, kSubnetKeys);
            object subnet;
            if (const auto value = item.at("subnet")) subnet["subnet"] = text(*value).value_or("");
            if (const auto value = item.at("gateway")) subnet["gateway"] = text(*value).value_or("");
            if (const auto value = item.at("ip_range")) subnet["ip_range"] = text(*value).value_or("");
            if (const auto value = item.at("aux_addresses"); value && value->expect_map("C002")) {
                if (auto map = string_map(*value)) subnet["aux_addresses"] = std::move(*map);
            }
            subnets.push_back(std::move(subnet));
        }
    }
    ipam["config"] = std::move(subnets);
    return ipam;
}

template <class Read>
object read_section(const Field& field, std::span<const std::string_view> keys, Read read) {
    object section;
    if (!field.expect_map("C002")) return section;
    for (const Member& member : field.node().members) {
        if (member.key.text.starts_with("x-")) continue;
        const Field entry(
            member.value, child(field.path(), member.key.text), member.key.text, field.report()
        );
        object out;
        if (!member.value.is_null() && entry.expect_map("C002")) {
            supported_keys(entry, keys);
            read_common(entry, out);
            read(entry, out);
        }
        section[member.key.text] = std::move(out);
    }
    return section;
}

}  // namespace

object read_networks_section(const Field& field) {
    return read_section(field, kNetworkKeys, [](const Field& entry, object& out) {
        if (const auto value = entry.at("internal")) {
            if (const auto internal = flag(*value)) out["internal"] = *internal;
        }
        if (const auto value = entry.at("ipam")) out["ipam"] = read_ipam(*value);
    });
}

object read_volumes_section(const Field& field) {
    return read_section(field, kVolumeKeys, [](const Field&, object&) {});
}

namespace {

/// C004: the content of a config, or of a secret that nobody has put in, is elsewhere.
void refuse_elsewhere(const Field& value, bool is_secret) {
    value.fail(
        "C004",
        "the content is not part of the descriptor",
        {.hint = is_secret ? "icos apply reads files and variables of secrets; other clients write content:"
                           : "write it under content"}
    );
}

void check_secret(const Field& content, std::string_view value) {
    if (value == kMaskedValue) {
        content.fail(
            "C011",
            "this value only stands for the secret, the text was read without its secrets",
            {.hint = "write the secret again, or get the text with icos get app NAME --reveal"}
        );
    }
    if (value.size() > kMaxSecretBytes) {
        content.fail(
            "C012",
            fmt::format(
                "{} bytes are more than the {} that a secret may have", value.size(), kMaxSecretBytes
            ),
            {.hint = "mount larger files as a volume"}
        );
    }
}

object read_contents(const Field& field, bool is_secret) {
    object section;
    if (!field.expect_map("C002")) return section;
    for (const Member& member : field.node().members) {
        if (member.key.text.starts_with("x-")) continue;
        const Field entry(
            member.value, child(field.path(), member.key.text), member.key.text, field.report()
        );
        object out;
        section[member.key.text] = object();
        if (!entry.expect_map("C002")) continue;
        supported_keys(entry, kContentKeys);
        for (const std::string_view key : {"file", "environment", "external"}) {
            if (const auto value = entry.at(key)) refuse_elsewhere(*value, is_secret);
        }
        if (const auto content = entry.at("content")) {
            const std::string value = text(*content).value_or("");
            if (is_secret) check_secret(*content, value);
            out["content"] = value;
        } else if (entry.node().members.empty() || entry.node().member("content") != nullptr) {
            entry.fail("C002", "the content is missing", {.hint = "add content: |"});
        }
        section[member.key.text] = std::move(out);
    }
    return section;
}

}  // namespace

object read_configs_section(const Field& field) {
    return read_contents(field, false);
}

object read_secrets_section(const Field& field) {
    return read_contents(field, true);
}

}  // namespace icos::descriptor::compose
