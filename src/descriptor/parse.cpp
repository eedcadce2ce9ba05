// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"
#include "icos/descriptor/descriptor.hpp"
#include "report.hpp"
#include "yaml/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace icos::descriptor {
namespace {

/// The header document, or null after reporting why there is none.
const Node* find_header(const yaml::Stream& stream, Report& report) {
    const auto& documents = stream.documents;
    if (documents.empty()) {
        report.add(
            "E005", {}, "", "the input is empty", {.hint = "`icos init` prints a descriptor to start from"}
        );
        return nullptr;
    }
    const auto found = std::find_if(documents.begin(), documents.end(), [](const Node& d) {
        return d.is_map() && d.member("components") != nullptr;
    });
    if (found != documents.end()) return &*found;
    const Node& first = documents.front();
    if (!first.is_map()) {
        report.add(
            "E006", first.at, "", fmt::format("a descriptor is a map, this is a {}", kind_name(first))
        );
    } else if (first.member("name") != nullptr) {
        report.add("E014", first.first_key(), "components", "components: at least one is needed");
    } else {
        report.add(
            "E005", first.first_key(), "", "no document has `components`: this is no application descriptor"
        );
    }
    return nullptr;
}

void read_manifests(
    const Field& header, const yaml::Stream& stream, const yaml::Source& source, header::Draft& draft
) {
    Report& report = header.report();
    for (std::size_t i = 0; i < stream.documents.size(); ++i) {
        if (&stream.documents[i] != &header.node())
            header::read_legacy_document(stream.documents[i], i, source, report, draft);
    }
    const Member* member = header.node().member("manifests");
    const bool empty = member == nullptr || member->value.is_null() ||
                       (member->value.is_sequence() && member->value.items.empty());
    if (!empty) {
        const Field field = *header.at("manifests");
        if (!field.expect_list()) return;
        header::read_manifests(field, source, draft);
    } else if (draft.manifests.empty()) {
        if (report.profile() == Profile::header) return;
        report.add(
            "E015",
            member == nullptr ? header.node().first_key() : member->key.at,
            "manifests",
            member == nullptr ? "manifests: the section is missing" : "manifests: the section is empty",
            {.hint = "add - name: NAME with the manifest below it"}
        );
        return;
    }
    draft.manifests_usable = true;
}

std::optional<Application> read_application(std::string_view text, const Options& options, Report& report) {
    if (text.size() > options.max_bytes) {
        report.add(
            "E007",
            {},
            "",
            fmt::format("{} bytes are more than the limit of {}", text.size(), options.max_bytes)
        );
        return std::nullopt;
    }
    if (const auto bad = yaml::Source::bad_byte(text)) {
        report.add("E008", bad->at, "", bad->message, {.hint = "a descriptor is a UTF-8 text"});
        return std::nullopt;
    }
    yaml::Source source(text);
    const yaml::Stream stream = yaml::read(source, options, report);
    if (!stream.complete) return std::nullopt;
    const Node* document = find_header(stream, report);
    if (document == nullptr) return std::nullopt;

    header::Draft draft;
    const Field header(*document, "", "descriptor", report);
    header::read_document(header, draft);
    read_manifests(header, stream, source, draft);
    header::resolve_references(draft, report);
    header::resolve_communication(draft, report);
    header::derive_requirements(draft, report);
    header::check_host_ports(draft, report);
    header::resolve_policies(draft);
    for (header::ComponentDraft& component : draft.components) {
        draft.application.components.push_back(std::move(component.component));
    }
    return std::move(draft.application);
}

}  // namespace

Parsed parse(std::string_view text, const Options& options) {
    Report report(options);
    std::optional<Application> application = read_application(text, options, report);
    if (report.has_errors()) application.reset();
    return {.application = std::move(application), .diagnostics = report.take()};
}

}  // namespace icos::descriptor
