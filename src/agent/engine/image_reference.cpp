// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/container_plan.hpp"
#include "icos/link/digest.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace icos::agent {
namespace {

Error bad(std::string_view text, std::string_view why) {
    return Error{
        errc::invalid,
        "image '" + std::string(text) + "': " + std::string(why),
        "write [registry/]name[:tag][@sha256:…]"
    };
}

bool is_repository_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '/';
}

/// The name a credential may give the registry by: with scheme, path or Docker Hub's old address.
std::string normal_registry(std::string_view text) {
    for (const std::string_view scheme : {std::string_view("https://"), std::string_view("http://")}) {
        if (text.starts_with(scheme)) text.remove_prefix(scheme.size());
    }
    text = text.substr(0, text.find('/'));
    if (text == "index.docker.io" || text == "registry-1.docker.io" || text == "registry.hub.docker.com") {
        return "docker.io";
    }
    return std::string(text);
}

}  // namespace

Result<ImageReference> parse_image_reference(std::string_view text) {
    const std::string_view whole = text;
    ImageReference out;
    if (const auto at = text.find('@'); at != std::string_view::npos) {
        out.digest = text.substr(at + 1);
        text = text.substr(0, at);
        if (out.digest.find(':') == std::string::npos) return bad(whole, "the digest has no algorithm");
    }
    const auto slash = text.rfind('/');
    const auto colon = text.rfind(':');
    if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
        out.tag = text.substr(colon + 1);
        text = text.substr(0, colon);
        if (out.tag.empty()) return bad(whole, "the tag is empty");
    }
    if (out.tag.empty() && out.digest.empty()) out.tag = "latest";
    const auto first = text.find('/');
    const std::string_view head = text.substr(0, first);
    // The rule of the reference implementation: a first part with a dot, a port, or "localhost" is a
    // registry.
    if (first != std::string_view::npos &&
        (head.find('.') != std::string_view::npos || head.find(':') != std::string_view::npos ||
         head == "localhost")) {
        out.registry = normal_registry(head);
        text.remove_prefix(first + 1);
    } else {
        out.registry = "docker.io";
    }
    out.repository = text;
    if (out.repository.empty()) return bad(whole, "the name is empty");
    if (!std::all_of(out.repository.begin(), out.repository.end(), is_repository_char)) {
        return bad(whole, "the name may have a-z, 0-9, '.', '_', '-' and '/' only");
    }
    if (out.registry == "docker.io" && out.repository.find('/') == std::string::npos) {
        out.repository.insert(0, "library/");
    }
    return out;
}

std::string registry_auth(std::string_view image, const std::vector<RegistryCredential>& credentials) {
    const Result<ImageReference> reference = parse_image_reference(image);
    if (reference.has_error()) return {};
    for (const RegistryCredential& credential : credentials) {
        if (normal_registry(credential.registry) != reference->registry) continue;
        const std::string server =
            reference->registry == "docker.io" ? "https://index.docker.io/v1/" : reference->registry;
        const boost::json::object body{
            {"username", credential.username}, {"password", credential.password}, {"serveraddress", server}
        };
        std::string encoded = link::to_base64url(boost::json::serialize(body));
        // The engine's decoder wants the padding that RFC 4648 lets others leave out.
        while (encoded.size() % 4 != 0) encoded += '=';
        return encoded;
    }
    return {};
}

}  // namespace icos::agent
