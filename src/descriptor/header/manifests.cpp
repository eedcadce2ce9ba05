// SPDX-License-Identifier: Apache-2.0
#include "compose/normalise.hpp"
#include "header/model.hpp"
#include "nearest.hpp"

#include <fmt/format.h>

#include <array>
#include <unordered_map>

namespace icos::descriptor::header {
namespace {

constexpr std::array<std::string_view, 3> kEntryKeys{"name", "manifest", "type"};

/// The bytes of a map as written. The first line keeps its indentation, or the rest would not line up.
std::string slice(const Node& map, const yaml::Source& source) {
    const std::string_view text = source.original();
    if (!map.block_map || map.members.empty())
        return std::string(text.substr(map.span.begin, map.span.end - map.span.begin));
    const std::size_t begin = map.members.front().key.span.begin;
    std::size_t end = std::max(map.span.end, begin);
    const std::size_t line_begin = source.line_begin(source.line_of_byte(begin));
    // A block scalar ends after its line break; otherwise a comment that ends the last line belongs to it.
    const bool ends_line = end > begin && text[end - 1] == '\n';
    const std::size_t line_end = std::min(text.find('\n', end), text.size());
    const std::size_t rest = text.find_first_not_of(" \t\r", end);
    if (!ends_line && (rest == std::string_view::npos || rest >= line_end || text[rest] == '#'))
        end = line_end;
    std::string indentation;
    for (const char c : text.substr(line_begin, begin - line_begin)) {
        if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) indentation.push_back(' ');
    }
    return indentation + std::string(text.substr(begin, end - begin)) + (ends_line ? "" : "\n");
}

/// C010: the bytes are handed on alone, so an alias into another place would be undefined there.
void check_anchors(const Node& node, const Node& root, const std::string& path, Report& report) {
    const bool inside = node.span.begin >= root.span.begin && node.span.end <= root.span.end;
    if (&node != &root && !inside && node.span.end > node.span.begin) {
        report.add(
            "C010",
            node.at,
            path,
            "manifest: uses an anchor defined outside of it",
            {.hint = "write the value out"}
        );
        return;
    }
    for (const Member& member : node.members) {
        check_anchors(member.key, root, path, report);
        check_anchors(member.value, root, child(path, member.key.text), report);
    }
    for (std::size_t i = 0; i < node.items.size(); ++i)
        check_anchors(node.items[i], root, child(path, i), report);
}

void read_content(const Field& content, const yaml::Source& source, ManifestDraft& draft) {
    const Node& node = content.node();
    const bool has_kubernetes = node.member("apiVersion") != nullptr || node.member("kind") != nullptr;
    const bool has_compose = node.member("services") != nullptr;
    const std::string& name = draft.manifest.name;
    const bool by_suffix = name.ends_with("-kubernetes");
    draft.manifest.engine = has_compose && !has_kubernetes ? Engine::docker : Engine::kubernetes;
    if (!has_compose && !has_kubernetes)
        draft.manifest.engine = by_suffix ? Engine::kubernetes : Engine::docker;
    draft.has_engine = has_compose || has_kubernetes;
    draft.manifest.original = slice(node, source);
    if (draft.manifest.engine == Engine::kubernetes) {
        draft.facts = read_kubernetes(content, draft);
        check_anchors(node, node, content.path(), content.report());
    } else {
        draft.facts = compose::normalise(content);
        draft.manifest.compose = draft.facts.compose;
    }
    const std::string_view contradicted = draft.manifest.engine == Engine::docker ? "-kubernetes" : "-docker";
    if (draft.has_engine && name.ends_with(contradicted)) {
        content.report().add(
            "E029",
            draft.at,
            child(draft.path, "name"),
            fmt::format(
                "name: \"{}\" ends in {}, its content is for {}",
                name,
                contradicted,
                to_string(draft.manifest.engine)
            ),
            {.hint = {}, .related = {{node.at.line, "the content"}}}
        );
    }
}

bool is_inline_object(const Node& entry) {
    return entry.member("manifest") == nullptr &&
           (entry.member("apiVersion") != nullptr || entry.member("kind") != nullptr);
}

/// Layouts B and C: the object itself, known by metadata.name.
void read_inline(const Field& object, const yaml::Source& source, std::string_view message, Draft& draft) {
    Report& report = object.report();
    ManifestDraft manifest;
    manifest.path = object.path();
    manifest.legacy = true;
    manifest.at = object.node().first_key();
    manifest.manifest.line = manifest.at.line;
    report.add(
        "W016",
        manifest.at,
        object.path(),
        std::string(message),
        {.hint = "write - name: NAME and manifest: under `manifests`"}
    );
    if (const Node* metadata = object.node().find("metadata"); metadata != nullptr) {
        if (const Node* name = metadata->find("name"); name != nullptr && name->is_scalar()) {
            manifest.manifest.name = name->text;
            manifest.at = name->at;
        }
    }
    read_content(object, source, manifest);
    draft.manifests.push_back(std::move(manifest));
}

void read_entry(const Field& entry, const yaml::Source& source, Draft& draft) {
    Report& report = entry.report();
    if (!entry.expect_map()) return;
    if (is_inline_object(entry.node()))
        return read_inline(
            entry, source, "manifests: an object without name and manifest (legacy form)", draft
        );
    entry.known_keys(kEntryKeys);
    ManifestDraft manifest;
    manifest.path = entry.path();
    manifest.at = entry.node().first_key();
    if (const auto field = entry.at("name")) {
        manifest.at = field->node().at;
        if (auto name = field->string()) {
            check_name(*field, *name, "E012");
            manifest.manifest.name = std::move(*name);
        }
    } else {
        const Member* member = entry.node().member("name");
        report.add(
            "E035",
            member == nullptr ? entry.node().first_key() : member->key.at,
            child(entry.path(), "name"),
            "name: the manifest has no name"
        );
    }
    manifest.manifest.line = manifest.at.line;
    const auto content = entry.at("manifest");
    if (!content) {
        const Member* member = entry.node().member("manifest");
        report.add(
            "E035",
            member == nullptr ? entry.node().first_key() : member->key.at,
            child(entry.path(), "manifest"),
            fmt::format("manifest: \"{}\" has no content", manifest.manifest.name),
            {.hint = "put the Kubernetes object or the compose file below manifest:"}
        );
    } else if (content->expect_map()) {
        read_content(*content, source, manifest);
    }
    draft.manifests.push_back(std::move(manifest));
}

}  // namespace

void read_manifests(const Field& manifests, const yaml::Source& source, Draft& draft) {
    for (std::size_t i = 0; i < manifests.node().items.size(); ++i) {
        read_entry(
            Field(manifests.node().items[i], child(manifests.path(), i), "manifest", manifests.report()),
            source,
            draft
        );
    }
}

void read_legacy_document(
    const Node& document, std::size_t index, const yaml::Source& source, Report& report, Draft& draft
) {
    const Field object(document, fmt::format("document[{}]", index), "document", report);
    if (!document.is_map() || (document.member("apiVersion") == nullptr &&
                               document.member("kind") == nullptr && document.find("metadata") == nullptr)) {
        report.add(
            "W016",
            document.first_key(),
            object.path(),
            "an additional YAML document is ignored: it is no Kubernetes object",
            {.hint = "remove it"}
        );
        return;
    }
    read_inline(object, source, "a Kubernetes object in a document of its own (legacy form)", draft);
}

}  // namespace icos::descriptor::header
