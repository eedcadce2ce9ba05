// SPDX-License-Identifier: Apache-2.0
#include "icos/descriptor/secrets.hpp"

#include "report.hpp"
#include "yaml/merge.hpp"
#include "yaml/reader.hpp"

#include <algorithm>
#include <map>

namespace icos::descriptor {
namespace {

using yaml::Span;

/// One document tree with the source that its spans count in.
struct Reading {
    explicit Reading(std::string_view text) : source(text), report(options) {
        if (yaml::Source::bad_byte(text)) return;
        stream = yaml::read(source, options, report);
    }
    Options options{};
    yaml::Source source;
    Report report;
    yaml::Stream stream{};
};

/// Calls `visit(manifest, path)` for everything that may be a manifest: entries of `manifests`, objects that
/// stand there themselves, and further documents.
template <class Visit>
void for_each_manifest(const yaml::Stream& stream, Visit visit) {
    for (std::size_t d = 0; d < stream.documents.size(); ++d) {
        const Node& document = stream.documents[d];
        if (!document.is_map()) continue;
        visit(document, "document[" + std::to_string(d) + "]");
        const Node* manifests = document.find("manifests");
        if (manifests == nullptr || !manifests->is_sequence()) continue;
        for (std::size_t i = 0; i < manifests->items.size(); ++i) {
            const Node& entry = manifests->items[i];
            if (!entry.is_map()) continue;
            const std::string path = child("manifests", i);
            const Node* content = entry.find("manifest");
            visit(content != nullptr && content->is_map() ? *content : entry, child(path, "manifest"));
        }
    }
}

void add_value(const Node& value, std::vector<const Node*>& out) {
    if (value.is_scalar()) out.push_back(&value);
}

/// Values of secrets in one manifest.
std::vector<const Node*> values_of(const Node& manifest) {
    std::vector<const Node*> out;
    if (const Node* secrets = manifest.find("secrets"); secrets != nullptr && secrets->is_map()) {
        for (const Member& member : secrets->members) {
            const Node* content = member.value.is_map() ? member.value.find("content") : nullptr;
            if (content != nullptr) add_value(*content, out);
        }
    }
    const Node* kind = manifest.find("kind");
    if (kind == nullptr || kind->text != "Secret") return out;
    for (const std::string_view key : {"data", "stringData"}) {
        const Node* map = manifest.find(key);
        if (map == nullptr || !map->is_map()) continue;
        for (const Member& member : map->members) add_value(member.value, out);
    }
    return out;
}

struct Found {
    Span span;
    std::string value;
};

/// Where the values are, each place once, in the order of the text.
std::vector<Found> secret_values(Reading& reading) {
    std::map<std::size_t, Found> found;
    for_each_manifest(reading.stream, [&](const Node& manifest, const std::string& path) {
        const Node tree = yaml::merged(manifest, path, reading.report);
        for (const Node* value : values_of(tree)) {
            if (value->span.end > value->span.begin)
                found.insert_or_assign(value->span.begin, Found{value->span, value->text});
        }
    });
    std::vector<Found> out;
    for (auto& [begin, each] : found) out.push_back(std::move(each));
    return out;
}

/// What replaces the bytes of a value: an anchor before it and the line break after it stay.
std::string mask_for(std::string_view bytes) {
    std::string out;
    if (bytes.starts_with('&')) {
        const std::size_t end = std::min(bytes.find_first_of(" \t\r\n"), bytes.size());
        out = std::string(bytes.substr(0, end)) + " ";
    }
    out += '"';
    out += kMaskedValue;
    out += '"';
    if (bytes.ends_with('\n')) out += '\n';
    return out;
}

/// A double-quoted YAML scalar on one line; `$` doubled, because compose replaces variables.
std::string quoted(std::string_view content) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out = "\"";
    for (std::size_t i = 0; i < content.size(); ++i) {
        const char c = content[i];
        const auto byte = static_cast<unsigned char>(c);
        const unsigned char next = i + 1 < content.size() ? static_cast<unsigned char>(content[i + 1])
                                                          : static_cast<unsigned char>(0);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '$') {
            out += "$$";
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\x";
            out += kDigits[byte >> 4U];
            out += kDigits[byte & 15U];
        } else if (byte == 0xC2 && next >= 0x80 && next <= 0x9F) {
            // Control characters of Latin-1, which YAML does not take as they are.
            out += "\\x";
            out += kDigits[next >> 4U];
            out += kDigits[next & 15U];
            ++i;
        } else {
            out += c;
        }
    }
    return out + '"';
}

}  // namespace

std::optional<std::string> masked(std::string_view text) {
    Reading reading(text);
    if (!reading.stream.complete) return std::nullopt;
    const std::vector<Found> values = secret_values(reading);
    if (values.empty()) return std::string(text);
    std::string out;
    std::size_t at = 0;
    for (const Found& found : values) {
        if (found.span.begin < at) return std::nullopt;
        out += text.substr(at, found.span.begin - at);
        out += mask_for(text.substr(found.span.begin, found.span.end - found.span.begin));
        at = found.span.end;
    }
    out += text.substr(at);
    // What is shown is looked at once more: an oddity of the text must not let a value through.
    Reading again(out);
    if (!again.stream.complete) return std::nullopt;
    const std::vector<Found> left = secret_values(again);
    const bool all_masked =
        std::all_of(left.begin(), left.end(), [](const Found& found) { return found.value == kMaskedValue; });
    if (left.size() != values.size() || !all_masked) return std::nullopt;
    return out;
}

std::vector<SecretReference> secret_references(std::string_view text) {
    Reading reading(text);
    std::vector<SecretReference> out;
    if (!reading.stream.complete) return out;
    for_each_manifest(reading.stream, [&](const Node& manifest, const std::string& path) {
        if (manifest.find("services") == nullptr) return;
        const Node* secrets = manifest.find("secrets");
        if (secrets == nullptr || !secrets->is_map()) return;
        for (const Member& member : secrets->members) {
            if (!member.value.is_map() || member.value.member("content") != nullptr) continue;
            for (const std::string_view key : {"file", "environment"}) {
                const Member* given = member.value.member(key);
                if (given == nullptr || !given->value.is_scalar()) continue;
                SecretReference reference;
                reference.name = member.key.text;
                reference.source =
                    key == "file" ? SecretReference::Source::file : SecretReference::Source::environment;
                reference.from = given->value.text;
                reference.path = child(child(child(path, "secrets"), member.key.text), key);
                reference.line = given->value.at.line;
                reference.column = given->value.at.column;
                reference.begin = given->key.span.begin;
                reference.end = given->value.span.end;
                const bool is_known = std::any_of(out.begin(), out.end(), [&](const auto& other) {
                    return other.begin == reference.begin;
                });
                if (!is_known && reference.end > reference.begin) out.push_back(std::move(reference));
                break;
            }
        }
    });
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
    return out;
}

std::string with_secrets(
    std::string_view text,
    const std::vector<SecretReference>& references,
    const std::vector<std::string>& contents
) {
    std::string out;
    std::size_t at = 0;
    for (std::size_t i = 0; i < references.size(); ++i) {
        const SecretReference& reference = references[i];
        if (reference.begin < at || reference.end > text.size()) continue;
        const std::string_view replaced = text.substr(reference.begin, reference.end - reference.begin);
        out += text.substr(at, reference.begin - at);
        out += "content: " + quoted(contents[i]);
        // Line numbers below stay what they were.
        out.append(static_cast<std::size_t>(std::count(replaced.begin(), replaced.end(), '\n')), '\n');
        at = reference.end;
    }
    return out + std::string(text.substr(at));
}

}  // namespace icos::descriptor
