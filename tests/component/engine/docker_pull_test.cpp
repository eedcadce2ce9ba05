// SPDX-License-Identifier: Apache-2.0
#include "docker_fixture.hpp"

using namespace icos;
using namespace icos::agent;
using icos::test::DockerFixture;
using icos::test::private_registry_address;
using icos::test::registry_address;

namespace {

Error refused_pull(DockerFixture& docker, const std::string& reference, const std::string& auth = "") {
    const auto pulled = docker.run(docker.engine().pull(reference, auth, {}));
    REQUIRE(pulled.has_error());
    UNSCOPED_INFO(describe(pulled.error()));
    CHECK(pulled.error().detail.find(reference) != std::string::npos);
    CHECK_FALSE(pulled.error().hint.empty());
    return pulled.error();
}

}  // namespace

TEST_CASE("a pulled image is there, and its progress ends at the whole size", "[docker][pull]") {
    DockerFixture docker;
    const std::string reference = registry_address() + "/slow/web:1";
    std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;

    docker.ok(docker.engine().pull(reference, "", [&](std::uint64_t current, std::uint64_t total) {
        seen.emplace_back(current, total);
    }));

    const ImageState image = docker.ok(docker.engine().image(reference));
    CHECK(image.id.starts_with("sha256:"));
    REQUIRE(image.repo_digests.size() == 1);
    CHECK(image.repo_digests[0].starts_with(registry_address() + "/slow/web@sha256:"));
    REQUIRE(seen.size() > 2);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(seen.back().second > 100'000);
    CHECK(seen.back().first == seen.back().second);
}

TEST_CASE("an image can be pulled by its digest", "[docker][pull]") {
    DockerFixture docker;
    docker.ok(docker.engine().pull(registry_address() + "/open/web:1", "", {}));
    const ImageState image = docker.ok(docker.engine().image(registry_address() + "/open/web:1"));
    REQUIRE_FALSE(image.repo_digests.empty());

    docker.ok(docker.engine().pull(image.repo_digests.front(), "", {}));

    CHECK(docker.ok(docker.engine().image(image.repo_digests.front())).id == image.id);
}

TEST_CASE("an image that the registry does not have is not found", "[docker][pull]") {
    DockerFixture docker;

    CHECK(refused_pull(docker, registry_address() + "/open/web:2").code == engine_errc::image_not_found);
    CHECK(refused_pull(docker, registry_address() + "/open/ghost:1").code == engine_errc::image_not_found);
}

TEST_CASE("a private image needs the right credential", "[docker][pull]") {
    DockerFixture docker;
    const std::string reference = private_registry_address() + "/open/web:1";
    const std::string wrong = registry_auth(reference, {{private_registry_address(), "me", "guess"}});
    const std::string right = registry_auth(reference, {{private_registry_address(), "me", "secret"}});

    CHECK(refused_pull(docker, reference).code == engine_errc::image_denied);
    const Error denied = refused_pull(docker, reference, wrong);
    CHECK(denied.code == engine_errc::image_denied);
    CHECK(denied.detail.find("guess") == std::string::npos);
    docker.ok(docker.engine().pull(reference, right, {}));
}

TEST_CASE("an image for other machines only is of the wrong architecture", "[docker][pull]") {
    DockerFixture docker;

    CHECK(
        refused_pull(docker, registry_address() + "/foreign/web:1").code == engine_errc::wrong_architecture
    );
}

TEST_CASE("what is no image reference never reaches the engine", "[docker][pull]") {
    DockerFixture docker;

    CHECK(docker.run(docker.engine().pull("Not An Image", "", {})).error().code == errc::invalid);
}
