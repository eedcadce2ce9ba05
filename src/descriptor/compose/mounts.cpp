// SPDX-License-Identifier: Apache-2.0
#include "compose/service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace icos::descriptor::compose {
namespace {

using boost::json::object;

constexpr std::array<std::string_view, 7> kMountKeys{
    "type", "source", "target", "read_only", "bind", "volume", "tmpfs"
};
constexpr std::array<std::string_view, 3> kMountTypes{"volume", "bind", "tmpfs"};
constexpr std::array<std::string_view, 2> kBindKeys{"propagation", "create_host_path"};
constexpr std::array<std::string_view, 1> kVolumeKeys{"nocopy"};
constexpr std::array<std::string_view, 2> kTmpfsKeys{"size", "mode"};
constexpr std::array<std::string_view, 6> kPropagations{
    "private", "rprivate", "shared", "rshared", "slave", "rslave"
};
constexpr std::array<std::string_view, 3> kShortOptions{"ro", "rw", "nocopy"};
constexpr std::array<std::string_view, 5> kContentKeys{"source", "target", "uid", "gid", "mode"};
constexpr std::array<std::string_view, 3> kDeviceKeys{"source", "target", "permissions"};

bool is_volume_name(std::string_view name) {
    const auto alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return !name.empty() && alphanumeric(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
        return alphanumeric(c) || c == '_' || c == '.' || c == '-';
    });
}

/// Adds to `volumes`, refusing what cannot be mounted and a path that is mounted twice.
void add_mount(object mount, const Field& field, Service& service) {
    const std::string type(mount.at("type").as_string());
    const std::string target(mount.at("target").as_string());
    const auto* source_value = mount.if_contains("source");
    const std::string source =
        source_value == nullptr ? std::string() : std::string(source_value->as_string());
    if (!target.starts_with('/'))
        return field.fail("C002", fmt::format("target \"{}\" is not an absolute path", target));
    if (type == "bind") {
        if (source.starts_with('.') || source.starts_with('~')) {
            return field.fail(
                "C004",
                fmt::format("\"{}\" is relative to a folder that is not part of the descriptor", source),
                {.hint = "use an absolute path of the node, a named volume, or configs with content"}
            );
        }
        if (!source.starts_with('/'))
            return field.fail("C002", fmt::format("source \"{}\" is not an absolute path", source));
        service.holds_data = true;
    }
    if (type == "volume" && !source.empty()) {
        if (!is_volume_name(source))
            return field.fail(
                "C002", fmt::format("\"{}\" is neither a volume's name nor an absolute path", source)
            );
        service.volumes.push_back({source, field.node().at, field.path()});
        service.holds_data = true;
    }
    if (!service.out.contains("volumes")) service.out["volumes"] = boost::json::array();
    if (!service.mounted.insert(target).second) {
        return field.fail("C002", fmt::format("two mounts on \"{}\"", target));
    }
    service.out["volumes"].as_array().push_back(std::move(mount));
}

void read_short_mount(const Field& field, const std::string& written, Service& service) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (true) {
        const std::size_t colon = written.find(':', begin);
        parts.push_back(written.substr(begin, colon == std::string::npos ? colon : colon - begin));
        if (colon == std::string::npos) break;
        begin = colon + 1;
    }
    if (parts.size() > 3)
        return field.fail(
            "C002",
            fmt::format("\"{}\" has too many parts", written),
            {.hint = "write SOURCE:TARGET[:OPTIONS]"}
        );
    object mount;
    if (parts.size() == 1) {
        mount = {{"type", "volume"}, {"target", parts[0]}};
    } else {
        const bool bind = parts[0].starts_with('/') || parts[0].starts_with('.') || parts[0].starts_with('~');
        mount = {{"type", bind ? "bind" : "volume"}, {"source", parts[0]}, {"target", parts[1]}};
        if (bind) mount["create_host_path"] = true;
    }
    const std::string options = parts.size() == 3 ? parts[2] : std::string();
    if (!options.empty()) mount["options"] = options;
    for (std::size_t from = 0; from < options.size();) {
        const std::string option = options.substr(from, options.find(',', from) - from);
        from += option.size() + 1;
        const bool known =
            std::find(kShortOptions.begin(), kShortOptions.end(), option) != kShortOptions.end() ||
            std::find(kPropagations.begin(), kPropagations.end(), option) != kPropagations.end();
        if (!known) {
            return field.fail(
                "C002",
                fmt::format("\"{}\": option \"{}\" is not supported", written, option),
                {.hint = "ro, rw, nocopy or a propagation"}
            );
        }
    }
    add_mount(std::move(mount), field, service);
}

void read_long_mount(const Field& field, Service& service) {
    supported_keys(field, kMountKeys);
    const auto type = field.at("type");
    const auto target = field.at("target");
    if (!type || !target) {
        field.report().add(
            "C002",
            field.node().first_key(),
            field.path(),
            fmt::format("volumes: {} is missing", !type ? "type" : "target")
        );
        return;
    }
    const auto kind = type->one_of(kMountTypes, "C002");
    const auto path = text(*target);
    if (!kind || !path) return;
    object mount{{"type", *kind}, {"long", true}};
    if (const auto source = field.at("source")) mount["source"] = text(*source).value_or("");
    mount["target"] = *path;
    if (*kind == "tmpfs" && mount.contains("source"))
        return field.at("source")->fail("C002", "a tmpfs has no source");
    if (const auto value = field.at("read_only"); value && flag(*value).value_or(false))
        mount["read_only"] = true;
    for (const std::string_view options : kMountTypes) {
        const auto own = field.at(options);
        if (own && options != *kind)
            own->fail("C002", fmt::format("options of a {} on a mount of type {}", options, *kind));
    }
    if (const auto bind = field.at("bind"); bind && bind->expect_map("C002")) {
        supported_keys(*bind, kBindKeys);
        if (const auto value = bind->at("propagation"))
            mount["propagation"] = value->one_of(kPropagations, "C002").value_or("");
        if (const auto value = bind->at("create_host_path"))
            mount["create_host_path"] = flag(*value).value_or(true);
    }
    if (const auto volume = field.at("volume"); volume && volume->expect_map("C002")) {
        supported_keys(*volume, kVolumeKeys);
        if (const auto value = volume->at("nocopy"); value && flag(*value).value_or(false))
            mount["nocopy"] = true;
    }
    if (const auto tmpfs = field.at("tmpfs"); tmpfs && tmpfs->expect_map("C002")) {
        supported_keys(*tmpfs, kTmpfsKeys);
        if (const auto value = tmpfs->at("size")) mount["size"] = bytes(*value).value_or(0);
        if (const auto value = tmpfs->at("mode")) mount["mode"] = file_mode(*value).value_or(0);
    }
    add_mount(std::move(mount), field, service);
}

/// One option of "/run:size=64m,mode=1777". The engine gets the text as it is, so it is only looked at.
bool check_tmpfs_option(std::string_view option, const Field& field) {
    Node value = field.node();
    const bool size = option.starts_with("size=");
    if (!size && !option.starts_with("mode=")) {
        field.fail(
            "C002", fmt::format("option \"{}\" is not supported", option), {.hint = "size=64m or mode=1777"}
        );
        return false;
    }
    value.text = std::string(option.substr(5));
    // mount(8) reads the mode as octal with or without the zero.
    if (!size && !value.text.starts_with('0')) value.text.insert(0, "0");
    const Field part(value, field.path(), "tmpfs", field.report());
    return (size ? bytes(part) : file_mode(part)).has_value();
}

void read_one_tmpfs(const Field& field, const std::string& written, Service& service) {
    const std::size_t colon = std::min(written.find(':'), written.size());
    object mount{{"type", "tmpfs"}, {"target", written.substr(0, colon)}};
    std::string_view options = std::string_view(written).substr(std::min(colon + 1, written.size()));
    if (!options.empty()) mount["options"] = options;
    while (!options.empty()) {
        const std::size_t comma = std::min(options.find(','), options.size());
        if (!check_tmpfs_option(options.substr(0, comma), field)) return;
        options.remove_prefix(std::min(comma + 1, options.size()));
    }
    add_mount(std::move(mount), field, service);
}

/// configs and secrets differ in where they appear by default.
boost::json::array read_contents(const Field& field, std::string_view folder, std::vector<NamedPlace>& used) {
    boost::json::array list;
    if (!field.expect_list("C002")) return list;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item = field.item(i);
        object entry;
        if (item.node().is_map()) {
            supported_keys(item, kContentKeys);
            const auto source = item.at("source");
            if (!source) {
                item.report().add("C002", item.node().first_key(), item.path(), "source is missing");
                continue;
            }
            entry["source"] = text(*source).value_or("");
            used.push_back({std::string(entry["source"].as_string()), source->node().at, source->path()});
            const auto target = item.at("target");
            std::string path = target ? text(*target).value_or("") : std::string(entry["source"].as_string());
            entry["target"] = path.starts_with('/') ? path : fmt::format("{}{}", folder, path);
            if (const auto value = item.at("uid")) entry["uid"] = text(*value).value_or("");
            if (const auto value = item.at("gid")) entry["gid"] = text(*value).value_or("");
            if (const auto value = item.at("mode")) entry["mode"] = file_mode(*value).value_or(0);
        } else if (const auto name = text(item)) {
            entry = {{"source", *name}, {"target", fmt::format("{}{}", folder, *name)}};
            used.push_back({*name, item.node().at, item.path()});
        } else {
            continue;
        }
        list.push_back(std::move(entry));
    }
    return list;
}

}  // namespace

void read_volumes(const Field& field, Service& service) {
    if (!field.expect_list("C002")) return;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item = field.item(i);
        if (item.node().is_map()) {
            read_long_mount(item, service);
        } else if (const auto written = text(item)) {
            read_short_mount(item, *written, service);
        }
    }
}

void read_tmpfs(const Field& field, Service& service) {
    if (field.node().is_scalar()) return read_one_tmpfs(field, field.node().text, service);
    if (!field.expect_list("C002")) return;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item = field.item(i);
        if (const auto written = text(item)) read_one_tmpfs(item, *written, service);
    }
}

void read_configs(const Field& field, Service& service) {
    service.out["configs"] = read_contents(field, "/", service.configs);
}

void read_secrets(const Field& field, Service& service) {
    service.out["secrets"] = read_contents(field, "/run/secrets/", service.secrets);
}

void read_devices(const Field& field, Service& service) {
    if (!field.expect_list("C002")) return;
    boost::json::array list;
    for (std::size_t i = 0; i < field.node().items.size(); ++i) {
        const Field item = field.item(i);
        std::string source;
        std::string target;
        std::string permissions = "rwm";
        if (item.node().is_map()) {
            supported_keys(item, kDeviceKeys);
            if (const auto value = item.at("source")) source = text(*value).value_or("");
            if (const auto value = item.at("target")) target = text(*value).value_or("");
            if (const auto value = item.at("permissions")) permissions = text(*value).value_or("");
        } else {
            const auto written = text(item);
            if (!written) continue;
            const std::size_t first = std::min(written->find(':'), written->size());
            const std::size_t second = std::min(written->find(':', first + 1), written->size());
            source = written->substr(0, first);
            if (first < written->size()) target = written->substr(first + 1, second - first - 1);
            if (second < written->size()) permissions = written->substr(second + 1);
        }
        if (target.empty()) target = source;
        if (!source.starts_with('/') || !target.starts_with('/') || permissions.empty() ||
            permissions.find_first_not_of("rwm") != std::string::npos) {
            item.fail("C002", "not a device of the node", {.hint = "write /dev/SOURCE[:/dev/TARGET[:rwm]]"});
            continue;
        }
        list.push_back(object{{"source", source}, {"target", target}, {"permissions", permissions}});
    }
    service.out["devices"] = std::move(list);
}

}  // namespace icos::descriptor::compose
