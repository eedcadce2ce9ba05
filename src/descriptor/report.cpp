// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include "codes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace icos::descriptor {
namespace {

bool is_below_manifests(std::string_view path) {
    constexpr std::string_view kRoot = "manifests";
    if (path.starts_with("document[")) return true;
    if (!path.starts_with(kRoot)) return false;
    return path.size() == kRoot.size() || path[kRoot.size()] == '[' || path[kRoot.size()] == '.';
}

constexpr std::size_t kLongestKey = 80;
constexpr std::size_t kLongestMessage = 400;

/// Whether a character begins at this byte of a UTF-8 text.
bool begins_character(const std::string& text, std::size_t i) {
    return i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
}

auto key_of(const Diagnostic& d) {
    return std::tie(d.line, d.column, d.code, d.message);
}

}  // namespace

void Report::add(std::string_view code, Position at, std::string path, std::string message, Extra extra) {
    const Code& known = find_code(code);
    Diagnostic diagnostic{
        .code = std::string(code),
        .severity = known.severity,
        .line = at.line,
        .column = at.column,
        .path = std::move(path),
        .message = std::move(message),
        .hint = std::move(extra.hint),
        .related = std::move(extra.related),
    };
    for (std::string* text : {&diagnostic.path, &diagnostic.message, &diagnostic.hint})
        *text = clipped(std::move(*text), kLongestMessage);
    for (Related& place : diagnostic.related)
        place.message = clipped(std::move(place.message), kLongestMessage);
    if (strict_ && !known.strict_code.empty()) {
        diagnostic.severity = Severity::error;
        diagnostic.code = std::string(known.strict_code);
    }
    // Without manifests the Matchmaker still works, so nothing in them may stop it. Limits and syntax always
    // do.
    if (profile_ == Profile::header && !known.fatal && diagnostic.severity == Severity::error &&
        is_below_manifests(diagnostic.path)) {
        diagnostic.severity = Severity::warning;
    }
    diagnostics_.push_back(std::move(diagnostic));
}

bool Report::may_expand(std::size_t count, Position at, const std::string& path) {
    if (count <= expansions_left_) {
        expansions_left_ -= count;
        return true;
    }
    expansions_left_ = 0;
    if (!has("E007")) add("E007", at, path, "the ranges of ports expand to too many");
    return false;
}

bool Report::has(std::string_view code) const noexcept {
    return std::any_of(diagnostics_.begin(), diagnostics_.end(), [&](const Diagnostic& d) {
        return d.code == code;
    });
}

std::vector<Diagnostic> Report::take() {
    std::sort(diagnostics_.begin(), diagnostics_.end(), [](const Diagnostic& a, const Diagnostic& b) {
        return key_of(a) < key_of(b);
    });
    const auto end =
        std::unique(diagnostics_.begin(), diagnostics_.end(), [](const Diagnostic& a, const Diagnostic& b) {
            return key_of(a) == key_of(b);
        });
    diagnostics_.erase(end, diagnostics_.end());
    return std::move(diagnostics_);
}

std::string clipped(std::string text, std::size_t most) {
    if (text.size() <= most) return text;
    std::size_t head = most * 2 / 3;
    std::size_t tail = text.size() - most / 3;
    while (!begins_character(text, head)) --head;
    while (!begins_character(text, tail)) ++tail;
    return fmt::format(
        "{}...{}", std::string_view(text).substr(0, head), std::string_view(text).substr(tail)
    );
}

std::string child(std::string_view path, std::string_view key) {
    if (key.size() > kLongestKey) return child(path, clipped(std::string(key), kLongestKey - 3));
    return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::string child(std::string_view path, std::size_t index) {
    return fmt::format("{}[{}]", path, index);
}

}  // namespace icos::descriptor
