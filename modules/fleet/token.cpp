// SPDX-License-Identifier: Apache-2.0
#include "token.hpp"

#include "error.hpp"
#include "lease.hpp"
#include "row_json.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::fleet {
namespace {

constexpr const char* kAskForOne = "ask for a new one: icos node token";

/// "14:02 UTC (5 min ago)", with the date where it is another day.
std::string moment(WallTime at, WallTime now) {
    const std::string text = to_rfc3339(at);
    const std::string day = text.substr(0, 10);
    const std::string clock = text.substr(11, 5) + " UTC";
    const std::string when = day == to_rfc3339(now).substr(0, 10) ? clock : day + " " + clock;
    return when + " (" + for_people(now - at) + " ago)";
}

}  // namespace

std::string to_row(const Token& token) {
    json::object out{
        {"secret_hash", token.secret_hash},
        {"cluster", token.cluster},
        {"created_ms", to_ms(token.created_at)},
        {"expires_ms", to_ms(token.expires_at)},
        {"uses", token.uses},
        {"created_by", token.created_by},
    };
    if (!token.replaces.empty()) out["replaces"] = token.replaces.value;
    json::object labels;
    for (const auto& [key, value] : token.labels) labels.emplace(key, value);
    out["labels"] = std::move(labels);
    out["devices"] = devices_to_json(token.devices);
    json::array used;
    for (const TokenUse& use : token.used_by) {
        used.push_back(json::object{{"node", use.node}, {"at_ms", to_ms(use.at)}});
    }
    out["used_by"] = std::move(used);
    return json::serialize(out);
}

Result<Token> token_from_row(const std::string& id, std::string_view body) {
    RowReader row("token", id, body);
    Token token;
    token.id = id;
    token.secret_hash = row.text("secret_hash");
    token.cluster = row.text("cluster");
    token.created_at = from_ms(row.integer("created_ms"));
    token.expires_at = from_ms(row.integer("expires_ms"));
    token.uses = static_cast<std::uint32_t>(row.integer("uses"));
    token.created_by = row.text("created_by");
    token.replaces = NodeId{row.text("replaces")};
    for (auto& [key, value] : row.labels("labels")) token.labels.emplace(key, value.value_or(""));
    token.devices = row.devices("devices");
    for (const json::value& item : row.list("used_by")) {
        RowReader use("token", id, json::serialize(item));
        token.used_by.push_back({use.text("node"), from_ms(use.integer("at_ms"))});
        if (use.error()) return *use.error();
    }
    if (row.error()) return *row.error();
    return token;
}

Result<void> check_usable(const Token& token, WallTime now, BootTime boot) {
    if (token.uses_left() == 0) {
        std::string by;
        for (const TokenUse& use : token.used_by) {
            by += (by.empty() ? "the token was used at " : ", ") + moment(use.at, now) + " by " + use.node;
        }
        return Error{errc::token_spent, by.empty() ? "the token allows no join" : by, kAskForOne};
    }
    const bool has_expired = token.created_boot
                                 ? boot - *token.created_boot >= token.expires_at - token.created_at
                                 : now >= token.expires_at;
    if (has_expired) {
        // By the clock that decided: the other may say something else.
        if (token.created_boot)
            now = token.created_at + std::chrono::duration_cast<Duration>(boot - *token.created_boot);
        return Error{
            errc::token_expired, "the token expired at " + moment(token.expires_at, now), kAskForOne
        };
    }
    return {};
}

std::vector<agent::Device> narrowed_devices(
    const std::vector<agent::Device>& fixed, const std::vector<agent::Device>& own
) {
    std::vector<agent::Device> chosen;
    for (const agent::Device& device : fixed) {
        const bool named = std::any_of(own.begin(), own.end(), [&](const agent::Device& other) {
            return other.name == device.name && (other.path.empty() || other.path == device.path);
        });
        if (named) chosen.push_back(device);
    }
    return chosen.empty() ? fixed : chosen;
}

}  // namespace icos::fleet
