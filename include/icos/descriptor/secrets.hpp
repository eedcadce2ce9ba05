// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Secrets in a descriptor's text: the `content` of top-level `secrets` of compose manifests, and the values
/// under `data` and `stringData` of Kubernetes Secrets. Pure, any thread, any input.
namespace icos::descriptor {

/// What stands for a secret's value in a text that is shown. A descriptor that holds it is refused (C011).
inline constexpr std::string_view kMaskedValue = "**masked**";

/// The text with every secret's value replaced; as it is when it holds none. nullopt if it cannot be told
/// where its secrets are: then it must not be shown.
std::optional<std::string> masked(std::string_view text);

/// A compose secret whose content is elsewhere: `file: PATH` or `environment: VARIABLE`. Who applies the
/// descriptor puts the content in its place.
struct SecretReference {
    enum class Source { file, environment };
    std::string name;
    Source source = Source::file;
    std::string from;  ///< the path or the variable
    std::string path;  ///< "manifests[0].manifest.secrets.db.file"
    std::size_t line = 1;
    std::size_t column = 1;
    std::size_t begin = 0;  ///< bytes of the text, of key and value: `file: ./db.txt`
    std::size_t end = 0;
};
/// In the order of the text; empty if the text is no YAML.
std::vector<SecretReference> secret_references(std::string_view text);

/// A secret's largest content, in bytes.
inline constexpr std::size_t kMaxSecretBytes = 64U << 10U;
/// The text with `contents[i]` inline in place of `references[i]`; lines keep their numbers. Contents are
/// UTF-8 without zero bytes.
std::string with_secrets(
    std::string_view text,
    const std::vector<SecretReference>& references,
    const std::vector<std::string>& contents
);

}  // namespace icos::descriptor
