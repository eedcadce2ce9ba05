// SPDX-License-Identifier: Apache-2.0
#include "commands/secret_files.hpp"

#include "icos/core/error.hpp"
#include "icos/descriptor/secrets.hpp"
#include "icos/link/text.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace icos::shell {
namespace {

using descriptor::SecretReference;

Result<std::string> read_file(const std::filesystem::path& path) {
    std::error_code failed;
    if (std::filesystem::is_directory(path, failed)) return Error{errc::io, "is a directory"};
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) return Error{errc::io, std::strerror(errno)};
    // One byte more than is allowed, so that a device without an end has one.
    std::string bytes(descriptor::kMaxSecretBytes + 1, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (in.bad()) return Error{errc::io, std::strerror(errno)};
    bytes.resize(static_cast<std::size_t>(in.gcount()));
    return bytes;
}

Result<std::string> read_variable(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return Error{errc::not_found, "is not set"};
    return std::string(value);
}

Result<std::string> content_of(const SecretReference& reference, const std::filesystem::path& folder) {
    Result<std::string> content = reference.source == SecretReference::Source::file
                                      ? read_file(folder / reference.from)
                                      : read_variable(reference.from);
    if (content.has_error()) return content;
    if (content->size() > descriptor::kMaxSecretBytes) {
        return Error{
            errc::too_large,
            fmt::format("has more than the {} bytes that a secret may have", descriptor::kMaxSecretBytes)
        };
    }
    if (!link::is_valid_utf8(*content) || content->find('\0') != std::string::npos)
        return Error{errc::invalid, "is not UTF-8 text", "encode it, for example with base64"};
    return content;
}

descriptor::Diagnostic problem(const SecretReference& reference, const Error& error) {
    descriptor::Diagnostic out;
    out.code = "C012";
    out.line = reference.line;
    out.column = reference.column;
    out.path = reference.path;
    out.message = fmt::format("secret \"{}\": {} {}", reference.name, reference.from, error.detail);
    out.hint = error.hint;
    return out;
}

}  // namespace

ResolvedText resolve_secrets(std::string text, const std::string& path) {
    const std::vector<SecretReference> references = descriptor::secret_references(text);
    if (references.empty()) return {std::move(text), {}};
    const std::filesystem::path folder =
        path == "-" ? std::filesystem::path() : std::filesystem::path(path).parent_path();
    ResolvedText out;
    std::vector<std::string> contents;
    for (const SecretReference& reference : references) {
        Result<std::string> content = content_of(reference, folder);
        if (content.has_error()) {
            out.problems.push_back(problem(reference, content.error()));
            contents.emplace_back();
        } else {
            contents.push_back(std::move(*content));
        }
    }
    out.text = descriptor::with_secrets(text, references, contents);
    return out;
}

}  // namespace icos::shell
