// SPDX-License-Identifier: Apache-2.0
#include "header/model.hpp"

#include <fmt/format.h>

#include <array>

namespace icos::descriptor::header {
namespace {

constexpr std::array<std::string_view, 9> kKeys{
    "name",
    "description",
    "namespace",
    "components",
    "dependencies",
    "requirements",
    "policies",
    "x-icos",
    "manifests"
};

void read_name(const Field& header, Application& application) {
    const Member* member = header.node().member("name");
    if (member == nullptr || member->value.is_null()) {
        header.report().add(
            "E010",
            member == nullptr ? header.node().first_key() : member->key.at,
            "name",
            "name: the application has no name",
            {.hint = "add name: my-app"}
        );
        return;
    }
    const Field field = *header.at("name");
    const auto name = field.string();
    if (!name) return;
    application.name = *name;
    // Names in the specification's own snippets break the rule, so only what leaves no usable namespace is an
    // error.
    check_name(field, *name, to_rfc1123(*name).empty() ? "E012" : "W012");
}

}  // namespace

void check_name(const Field& field, std::string_view name, std::string_view code) {
    if (is_rfc1123(name)) return;
    const std::string normalised = to_rfc1123(name);
    field.fail(
        code,
        fmt::format("\"{}\" is not a valid name (lower-case letters, digits and '-', at most 63)", name),
        {.hint = normalised.empty() ? std::string() : fmt::format("write \"{}\"", normalised)}
    );
}

void read_document(const Field& header, Draft& draft) {
    Report& report = header.report();
    Application& application = draft.application;
    header.known_keys(kKeys);
    read_name(header, application);
    if (const auto field = header.at("description")) application.description = field->string().value_or("");
    application.name_space = to_rfc1123(application.name);
    if (const auto field = header.at("namespace")) {
        if (const auto name = field->string()) {
            check_name(*field, *name, "E012");
            application.name_space = *name;
        }
    }
    if (const Member* member = header.node().member("dependencies"); member == nullptr) {
        report.add(
            "I018",
            header.node().first_key(),
            "dependencies",
            "dependencies: absent, the specification lists it"
        );
    } else if (!member->value.is_null() && !member->value.is_sequence()) {
        header.at("dependencies")->wrong_type("list");
    }
    if (const Member* member = header.node().member("requirements");
        member != nullptr && !member->value.is_null()) {
        report.add(
            "W017",
            member->key.at,
            "requirements",
            "requirements: ignored for the application",
            {.hint = "give them per component"}
        );
    }
    if (const auto field = header.at("x-icos")) draft.options = read_x_icos(*field);

    const Member* components = header.node().member("components");
    const bool empty = components == nullptr || components->value.is_null() ||
                       (components->value.is_sequence() && components->value.items.empty());
    if (empty) {
        const Position at = components == nullptr ? header.node().first_key() : components->key.at;
        report.add("E014", at, "components", "components: at least one is needed");
    } else if (const Field field = *header.at("components"); field.expect_list()) {
        read_components(field, draft);
    }
    if (const auto field = header.at("policies"))
        application.policies = read_policies(*field, Scope::application, draft);
}

}  // namespace icos::descriptor::header
