// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/container_plan.hpp"
#include "icos/link/digest.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::agent;

TEST_CASE("an image reference is completed as the engine completes it", "[engine][image]") {
    struct Row {
        std::string text, registry, repository, tag, digest;
    };
    const Row row = GENERATE(values<Row>(
        {{"busybox", "docker.io", "library/busybox", "latest", ""},
         {"busybox:1", "docker.io", "library/busybox", "1", ""},
         {"bitnami/redis:7", "docker.io", "bitnami/redis", "7", ""},
         {"docker.io/library/busybox:1", "docker.io", "library/busybox", "1", ""},
         {"index.docker.io/busybox", "docker.io", "library/busybox", "latest", ""},
         {"localhost/app", "localhost", "app", "latest", ""},
         {"localhost:5000/app", "localhost:5000", "app", "latest", ""},
         {"ghcr.io/a/b/c:v1", "ghcr.io", "a/b/c", "v1", ""},
         {"ghcr.io/a/b@sha256:ab", "ghcr.io", "a/b", "", "sha256:ab"},
         {"ghcr.io/a/b:v1@sha256:ab", "ghcr.io", "a/b", "v1", "sha256:ab"}}
    ));
    CAPTURE(row.text);

    const auto reference = parse_image_reference(row.text);

    REQUIRE(reference.has_value());
    CHECK(reference->registry == row.registry);
    CHECK(reference->repository == row.repository);
    CHECK(reference->tag == row.tag);
    CHECK(reference->digest == row.digest);
}

TEST_CASE("what is no image reference is refused with the text", "[engine][image]") {
    const std::string text = GENERATE("", ":1", "Busybox", "a b", "app:", "app@sha256", "ghcr.io/");
    CAPTURE(text);

    const auto reference = parse_image_reference(text);

    REQUIRE(reference.has_error());
    CHECK(reference.error().detail.find("'" + text + "'") != std::string::npos);
}

TEST_CASE("the credential of the image's registry becomes the engine's header", "[engine][image]") {
    const std::vector<RegistryCredential> credentials{
        {"https://ghcr.io/v2/", "u", "p\"q"}, {"docker.io", "hub", "x"}
    };

    const std::string header = registry_auth("ghcr.io/a/b:1", credentials);
    const std::string hub = registry_auth("busybox", credentials);

    CHECK(header.size() % 4 == 0);
    CHECK(
        link::from_base64url(header.substr(0, header.find('='))) ==
        R"({"username":"u","password":"p\"q","serveraddress":"ghcr.io"})"
    );
    CHECK(
        link::from_base64url(hub.substr(0, hub.find('=')))->find("https://index.docker.io/v1/") !=
        std::string::npos
    );
    CHECK(registry_auth("quay.io/a/b", credentials).empty());
}
