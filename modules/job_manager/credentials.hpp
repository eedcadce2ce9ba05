// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/agent/protocol.hpp"
#include "icos/core/error.hpp"
#include "icos/core/time.hpp"
#include "icos/store/store.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Registry credentials: stored once under a name, used by applications that name them in
/// `x-icos.registryCredentials`. Their passwords go to the nodes that pull, and nowhere else.
namespace icos::job_manager {

struct Credential {
    std::string project{};
    std::string name{};
    std::string registry{};  ///< "registry.example:5000", "docker.io"
    std::string username{};
    std::string password{};  ///< never shown, never logged
    WallTime updated_at{};
    std::string actor{};  ///< who set it last
};
/// By project and name.
using Credentials = std::map<std::pair<std::string, std::string>, Credential>;

inline constexpr const char* kCredentialKind = "registry_credential";

/// Body of PUT /api/v1/credentials/{name}: {"registry", "username", "password"}, all of them strings.
/// app.invalid_query with the member that is wrong; never with its value.
Result<Credential> credential_in(std::string_view body, std::string_view name);
/// As it is shown: without the password.
boost::json::object to_json(const Credential& credential);

Change to_row(const Credential& credential);
Change credential_removal(std::string_view project, std::string_view name);
/// store.corrupt, naming the row.
Result<Credential> read_credential(const Row& row);

/// What a node gets of them, in the order of `names`; unknown names are left out.
std::vector<agent::RegistryCredential> credentials_for(
    const Credentials& all, std::string_view project, const std::vector<std::string>& names
);
/// Keyed, so that it tells nothing of a password; empty without credentials.
std::string credentials_digest(
    const std::vector<agent::RegistryCredential>& credentials, std::string_view key
);

}  // namespace icos::job_manager
