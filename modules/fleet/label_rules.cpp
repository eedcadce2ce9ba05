// SPDX-License-Identifier: Apache-2.0
#include "label_rules.hpp"

#include "error.hpp"

#include <algorithm>

namespace icos::fleet {
namespace {

constexpr std::size_t kMaxSegment = 63;
constexpr std::size_t kMaxSubdomain = 253;
constexpr std::size_t kMaxPath = 4096;

bool is_lower_or_digit(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_alphanumeric(char c) noexcept {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

/// 1..63 of letters, digits, '-', '_', '.', with a letter or digit at both ends.
bool is_qualified_name(std::string_view text) noexcept {
    if (text.empty() || text.size() > kMaxSegment) return false;
    if (!is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
    });
}

/// Part of an answer to show what was refused, whatever it holds.
std::string quoted(std::string_view text) {
    constexpr std::size_t shown = 80;
    std::string out = "\"";
    for (const char c : text.substr(0, shown)) out.push_back(c >= ' ' && c < '\x7f' ? c : '?');
    return out + (text.size() > shown ? "…\"" : "\"");
}

}  // namespace

bool is_node_name(std::string_view text) noexcept {
    if (text.empty() || text.size() > kMaxSubdomain) return false;
    while (true) {
        const auto dot = text.find('.');
        const std::string_view part = text.substr(0, dot);
        if (part.empty() || part.size() > kMaxSegment) return false;
        if (!is_lower_or_digit(part.front()) || !is_lower_or_digit(part.back())) return false;
        if (!std::all_of(part.begin(), part.end(), [](char c) { return is_lower_or_digit(c) || c == '-'; }))
            return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

bool is_label_key(std::string_view text) noexcept {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return is_qualified_name(text);
    return is_node_name(text.substr(0, slash)) && is_qualified_name(text.substr(slash + 1));
}

bool is_label_value(std::string_view text) noexcept {
    return text.empty() || is_qualified_name(text);
}

Result<void> check_label(std::string_view place, const std::string& key, const std::string& value) {
    if (!is_label_key(key)) {
        return Error{
            errc::invalid_label,
            std::string(place) + ": " + quoted(key) + " cannot be the key of a label",
            "a key is [prefix/]name: the name has up to 63 of A-Z a-z 0-9 - _ . and begins and ends with a "
            "letter "
            "or digit, the prefix is a DNS name"
        };
    }
    if (!is_label_value(value)) {
        return Error{
            errc::invalid_label,
            std::string(place) + "." + key + ": " + quoted(value) + " cannot be the value of a label",
            "a value is empty, or up to 63 of A-Z a-z 0-9 - _ . that begin and end with a letter or digit"
        };
    }
    return {};
}

Result<void> check_labels(std::string_view place, const Labels& labels) {
    for (const auto& [key, value] : labels) {
        if (Result<void> checked = check_label(place, key, value); checked.has_error()) return checked;
    }
    return {};
}

Result<void> check_devices(std::string_view place, const std::vector<agent::Device>& devices) {
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const agent::Device& device = devices[i];
        const std::string where = std::string(place) + "[" + std::to_string(i) + "]";
        if (!is_label_key(device.name)) {
            return Error{
                errc::invalid,
                where + ".name: " + quoted(device.name) + " cannot name a device",
                "a device is named as descriptors ask for it, for example squat.ai/video"
            };
        }
        const bool is_path =
            device.path.empty() || (device.path.front() == '/' && device.path.size() <= kMaxPath &&
                                    device.path.find('\0') == std::string::npos &&
                                    (device.path + "/").find("/../") == std::string::npos);
        if (!is_path) {
            return Error{
                errc::invalid,
                where + ".path: " + quoted(device.path) + " is not an absolute path",
                "give the device file, for example /dev/video0"
            };
        }
        if (std::find(devices.begin(), devices.begin() + static_cast<std::ptrdiff_t>(i), device) !=
            devices.begin() + static_cast<std::ptrdiff_t>(i)) {
            return Error{errc::invalid, where + ": " + quoted(device.name) + " is listed twice"};
        }
    }
    return {};
}

Result<void> check_name(std::string_view place, const std::string& name) {
    if (is_node_name(name)) return {};
    return Error{
        errc::invalid,
        std::string(place) + ": " + quoted(name) + " cannot be a name",
        "a name has parts of up to 63 of a-z 0-9 - between dots, and each begins and ends with a letter or "
        "digit"
    };
}

}  // namespace icos::fleet
