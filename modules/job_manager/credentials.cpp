// SPDX-License-Identifier: Apache-2.0
#include "credentials.hpp"

#include "error.hpp"
#include "icos/link/digest.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::job_manager {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxName = 63;
constexpr std::size_t kMaxText = 255;
constexpr std::size_t kMaxPassword = 8U << 10U;  // tokens of clouds have some KiB

Error wrong(std::string detail, std::string hint) {
    return Error{errc::invalid_query, std::move(detail), std::move(hint)};
}

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
}

bool is_registry(std::string_view text) {
    return !text.empty() && text.size() <= kMaxText && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.' || c == ':' || c == '[' || c == ']';
    });
}

/// A member that has to be a string of 1 to `most` bytes.
Result<std::string> text_in(const json::object& body, std::string_view key, std::size_t most) {
    const json::value* value = body.if_contains(key);
    if (value == nullptr || !value->is_string() || value->get_string().empty()) {
        return wrong(
            std::string(key) + ": a string is needed", R"(send {"registry", "username", "password"})"
        );
    }
    if (value->get_string().size() > most) {
        return wrong(std::string(key) + ": longer than " + std::to_string(most) + " bytes", "shorten it");
    }
    return std::string(value->get_string());
}

std::string row_id(std::string_view project, std::string_view name) {
    return std::string(project) + "/" + std::string(name);
}

}  // namespace

Result<Credential> credential_in(std::string_view body, std::string_view name) {
    if (!is_name(name)) {
        return wrong(
            "\"" + std::string(name) + "\" is no name of a credential",
            "use 1 to 63 lower-case letters, digits, '-' and '.'"
        );
    }
    boost::system::error_code failed;
    const json::value value = json::parse(body, failed);
    if (failed || !value.is_object())
        return wrong("the body is not a JSON object", R"(send {"registry", "username", "password"})");
    const json::object& object = value.get_object();
    for (const auto& member : object) {
        const std::string_view key = member.key();
        if (key != "registry" && key != "username" && key != "password")
            return wrong(std::string(key) + ": unknown member", "it has registry, username and password");
    }
    Credential out;
    out.name = name;
    const Result<std::string> registry = text_in(object, "registry", kMaxText);
    if (registry.has_error()) return registry.error();
    if (!is_registry(*registry)) {
        return wrong(
            "registry: not HOST or HOST:PORT", "write it as in image names: registry.example:5000, docker.io"
        );
    }
    const Result<std::string> username = text_in(object, "username", kMaxText);
    if (username.has_error()) return username.error();
    const Result<std::string> password = text_in(object, "password", kMaxPassword);
    if (password.has_error()) return password.error();
    out.registry = *registry;
    out.username = *username;
    out.password = *password;
    return out;
}

json::object to_json(const Credential& credential) {
    return {
        {"name", credential.name},
        {"project", credential.project},
        {"registry", credential.registry},
        {"username", credential.username},
        {"updated_at", to_rfc3339(credential.updated_at)},
        {"actor", credential.actor},
    };
}

Change to_row(const Credential& credential) {
    const json::object body{
        {"project", credential.project},
        {"name", credential.name},
        {"registry", credential.registry},
        {"username", credential.username},
        {"password", credential.password},
        {"updated_ms", to_ms(credential.updated_at)},
        {"actor", credential.actor},
    };
    return {kCredentialKind, row_id(credential.project, credential.name), json::serialize(body)};
}

Change credential_removal(std::string_view project, std::string_view name) {
    return {kCredentialKind, row_id(project, name), std::nullopt};
}

Result<Credential> read_credential(const Row& row) {
    try {
        const json::value parsed = json::parse(row.body);
        const auto text = [&](std::string_view key) { return std::string(parsed.at(key).as_string()); };
        Credential out;
        out.project = text("project");
        out.name = text("name");
        out.registry = text("registry");
        out.username = text("username");
        out.password = text("password");
        out.actor = text("actor");
        out.updated_at = from_ms(parsed.at("updated_ms").to_number<std::int64_t>());
        return out;
    } catch (const std::exception&) {
        // The exception's words may quote what the row holds.
        return Error{
            store_errc::corrupt,
            "the stored credential " + row.id + " cannot be read",
            "restore the data directory from a backup"
        };
    }
}

std::vector<agent::RegistryCredential> credentials_for(
    const Credentials& all, std::string_view project, const std::vector<std::string>& names
) {
    std::vector<agent::RegistryCredential> out;
    for (const std::string& name : names) {
        const auto found = all.find({std::string(project), name});
        if (found == all.end()) continue;
        const Credential& credential = found->second;
        out.push_back({credential.registry, credential.username, credential.password});
    }
    return out;
}

std::string credentials_digest(
    const std::vector<agent::RegistryCredential>& credentials, std::string_view key
) {
    if (credentials.empty()) return {};
    json::array parts;
    for (const auto& [registry, username, password] : credentials)
        parts.push_back(json::array{registry, username, password});
    return link::hmac_sha256_hex(key, json::serialize(parts)).substr(0, 32);
}

}  // namespace icos::job_manager
