// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "facts.hpp"
#include "field.hpp"
#include "icos/descriptor/descriptor.hpp"
#include "report.hpp"
#include "yaml/source.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace icos::descriptor::header {

/// An entry of the top-level `manifests` (or a legacy document), while references are still open.
struct ManifestDraft {
    Manifest manifest;
    Position at;  ///< of the name
    std::string path;
    bool legacy = false;  ///< known by metadata.name: several objects may share one name
    bool has_engine = false;
    std::string kind;           ///< kubernetes: the object's kind
    std::string metadata_name;  ///< kubernetes
    ManifestFacts facts;
    std::vector<std::size_t> users;  ///< components that refer to it
    std::size_t first_use_line = 0;
};

struct EdgeDraft {
    Edge edge;
    Position at;
    std::string path;
};

struct ComponentDraft {
    Component component;
    Position at;  ///< of the name
    std::string path;
    bool has_type = false;
    Position type_at;
    std::string type_path;
    std::vector<NamedPlace> references;
    std::vector<std::size_t> manifests;  ///< resolved references
    bool all_resolved = false;
    std::vector<EdgeDraft> edges;
    Position cpu_at;
    Position memory_at;
};

/// `manifests_usable`: references can be checked (they are not when `manifests` itself is missing or
/// malformed).
struct Draft {
    Application application;
    XIcos options;
    std::vector<ComponentDraft> components;
    std::vector<ManifestDraft> manifests;
    bool manifests_usable = false;
};

// Each reads one part of the header; problems go to the report of the field.
void read_document(const Field& header, Draft& draft);
void read_components(const Field& components, Draft& draft);
void read_manifests(const Field& manifests, const yaml::Source& source, Draft& draft);
void read_legacy_document(
    const Node& document, std::size_t index, const yaml::Source& source, Report& report, Draft& draft
);
void read_requirements(const Field& requirements, ComponentDraft& draft);
/// A Kubernetes quantity of memory; E043, W044 and E045.
std::optional<Quantity> read_memory_quantity(const Field& field);
XIcos read_x_icos(const Field& options);
std::vector<EdgeDraft> read_communication(const Field& communication);
enum class Scope { application, component };
/// The draft has all components, for `apply-to`.
std::vector<Policy> read_policies(const Field& policies, Scope scope, const Draft& draft);
/// Facts of a Kubernetes object; E037 where it is none.
ManifestFacts read_kubernetes(const Field& object, ManifestDraft& draft);

/// Resolves references between the parts and fills in what follows from them.
void resolve_references(Draft& draft, Report& report);
void resolve_communication(Draft& draft, Report& report);
void derive_requirements(Draft& draft, Report& report);
void check_host_ports(const Draft& draft, Report& report);
/// Tells each component what the policies demand of its node.
void resolve_policies(Draft& draft);

/// E012 or W012 if the name breaks RFC 1123.
void check_name(const Field& field, std::string_view name, std::string_view code);

}  // namespace icos::descriptor::header
