// SPDX-License-Identifier: Apache-2.0
#include "agent/engine/engine_error.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>

namespace icos::agent {
namespace {

constexpr std::array<ErrorEntry, 10> kEntries{{
    {"unreachable", ErrorKind::unavailable},
    {"not_found", ErrorKind::not_found},
    {"conflict", ErrorKind::conflict},
    {"port_taken", ErrorKind::conflict},
    {"image_not_found", ErrorKind::not_found},
    {"image_denied", ErrorKind::forbidden},
    {"wrong_architecture", ErrorKind::unprocessable},
    {"no_space", ErrorKind::storage_full},
    {"refused", ErrorKind::unprocessable},
    {"failed", ErrorKind::upstream},
}};

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

bool has_any(const std::string& text, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
        return text.find(word) != std::string::npos;
    });
}

/// Docker: {"message": …}; Podman adds "cause" and "response".
std::string words_of(std::string_view body) {
    boost::system::error_code ec;
    const boost::json::value value = boost::json::parse(body, ec);
    if (!ec && value.is_object()) {
        for (const std::string_view key : {"message", "cause"}) {
            const auto* words = value.as_object().if_contains(key);
            if (words != nullptr && words->is_string()) return std::string(words->as_string());
        }
    }
    constexpr std::size_t kMost = 500;
    return std::string(body.substr(0, kMost));
}

std::string_view hint_for(engine_errc code) {
    switch (code) {
        case engine_errc::not_found:
            return "";
        case engine_errc::conflict:
            return "remove or rename what has this name, or wait until it is no longer in use";
        case engine_errc::port_taken:
            return "publish another port, or stop what listens on it on this node";
        case engine_errc::image_not_found:
            return "check the image's name and tag; a private registry needs registryCredentials";
        case engine_errc::image_denied:
            return "give the registry's user and password as registryCredentials";
        case engine_errc::wrong_architecture:
            return "use an image built for this node's architecture, or a node of the image's";
        case engine_errc::no_space:
            return "free disk space on the node, for example with `docker image prune`";
        case engine_errc::unreachable:
        case engine_errc::refused:
        case engine_errc::failed:
            return "";
    }
    return "";
}

/// Codes that only the words tell. Matched in lower case: registries and engines vary in it.
std::optional<engine_errc> code_of(const std::string& words) {
    if (has_any(words, {"port is already allocated", "address already in use", "ports are not available"})) {
        return engine_errc::port_taken;
    }
    if (has_any(words, {"no space left", "disk quota exceeded"})) return engine_errc::no_space;
    if (has_any(
            words,
            {"no matching manifest",
             "exec format error",
             "does not match the specified platform",
             "does not match the expected platform",
             "no image found in manifest list for architecture"}
        )) {
        return engine_errc::wrong_architecture;
    }
    // Docker Hub answers "access denied or does not exist" for both, so that names cannot be probed: without
    // credentials a misspelt name is the likelier one.
    if (has_any(
            words,
            {"no such image",
             "repository does not exist",
             "manifest unknown",
             "name unknown",
             "manifest for",
             "image not known",
             "may require 'docker login'"}
        )) {
        return engine_errc::image_not_found;
    }
    if (has_any(
            words,
            {"unauthorized",
             "authentication required",
             "no basic auth credentials",
             "access denied",
             "access to the resource is denied",
             "incorrect username or password",
             "denied:"}
        )) {
        return engine_errc::image_denied;
    }
    return std::nullopt;
}

/// A registry that does not answer says nothing about the image.
bool is_network_failure(const std::string& words) {
    return has_any(
        words,
        {"no such host",
         "connection refused",
         "i/o timeout",
         "network is unreachable",
         "no route to host",
         "tls handshake timeout",
         "context deadline exceeded",
         "temporary failure in name resolution",
         "server misbehaving",
         "client.timeout exceeded"}
    );
}

Error made(engine_errc code, std::string_view words, std::string_view doing) {
    std::string detail = "cannot " + std::string(doing);
    if (!words.empty()) detail += ": " + std::string(words);
    return Error{code, std::move(detail), std::string(hint_for(code))};
}

}  // namespace

const ErrorDomain& engine_domain() noexcept {
    static const ErrorDomain domain("engine", kEntries);
    return domain;
}

Error engine_error_from_words(std::string_view words, std::string_view doing, engine_errc fallback) {
    const std::string text = lower(words);
    if (const auto code = code_of(text)) return made(*code, words, doing);
    if (is_network_failure(text)) {
        Error error = made(engine_errc::failed, words, doing);
        error.hint = "the registry does not answer: check its address and the node's network";
        return error;
    }
    return made(fallback, words, doing);
}

Error engine_error(unsigned status, std::string_view body, std::string_view doing) {
    const std::string words = words_of(body);
    engine_errc fallback = engine_errc::refused;
    if (status == 404) fallback = engine_errc::not_found;
    if (status == 409) fallback = engine_errc::conflict;
    if (status >= 500) fallback = engine_errc::failed;
    // 409 is about names and use; the image in "image is being used" must not make it an image error.
    if (status == 409) return made(fallback, words, doing);
    return engine_error_from_words(words, doing, fallback);
}

Error unreachable_error(const Error& cause, const std::string& socket) {
    std::string hint = "start it (systemctl start docker, or podman.socket)";
    const std::string words = lower(cause.detail + " " + cause.code.message());
    if (has_any(words, {"no such file", "not found"})) {
        hint = "install docker.io or podman, start it, or name its socket with --docker-socket";
    } else if (has_any(words, {"permission denied"})) {
        hint = "run the agent as root or put its user in the group that owns the socket (usually `docker`)";
    }
    return Error{
        engine_errc::unreachable,
        "the container engine does not answer at '" + socket + "': " + cause.detail,
        hint
    };
}

}  // namespace icos::agent
