// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "icos/store/store.hpp"
#include "state.hpp"

/// Stored form: kinds "app", "app_revision" (id "<app>/<generation>"), "placement" and "digest_key", bodies
/// are JSON. The store seals the bodies of those that hold secrets (icos::is_sealed_kind). Absent members
/// take their defaults, unknown ones are ignored. Readers fail with store.corrupt, naming the row.
namespace icos::job_manager {

inline constexpr const char* kAppKind = "app";
inline constexpr const char* kRevisionKind = "app_revision";
inline constexpr const char* kPlacementKind = "placement";
inline constexpr const char* kDigestKeyKind = "digest_key";

Change to_row(const App& app);
Change to_row(const Placement& placement);
Change revision_row(
    const AppId& app, std::uint64_t generation, const std::string& text, const RevisionInfo& info = {}
);
Change revision_removal(const AppId& app, std::uint64_t generation);

struct StoredRevision {
    AppId app{};
    std::uint64_t generation = 0;
    std::string text{};
    RevisionInfo info{};
};
/// The key of digests of what holds secrets (desired.hpp); one row.
Change digest_key_row(const std::string& key);
Result<std::string> read_digest_key(const Row& row);
Result<App> read_app(const Row& row);
Result<Placement> read_placement(const Row& row);
Result<StoredRevision> read_revision(const Row& row);

}  // namespace icos::job_manager
