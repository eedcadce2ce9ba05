// SPDX-License-Identifier: Apache-2.0
#include "agent/program/identity.hpp"

#include "agent/program/join.hpp"
#include "memory_disk.hpp"

#include <catch2/catch.hpp>

using namespace icos;
using namespace icos::test;
using namespace icos::agent;

namespace {

Identity some_identity() {
    Identity identity;
    identity.node_id = "7d1e";
    identity.name = "edge-1";
    identity.controllers = {"vm-1:7443"};
    identity.certificate = "CERT";
    identity.key = "KEY";
    identity.labels = {{"site", "lab"}};
    identity.devices = {{"squat.ai/video", "/dev/video0"}};
    return identity;
}

}  // namespace

TEST_CASE("an identity that was saved is there after a power loss", "[agent][identity]") {
    MemoryDisk disk;
    REQUIRE(save_identity(disk, "/s", some_identity()).has_value());
    disk.lose_power();

    const Result<Identity> loaded = load_identity(disk, "/s");

    REQUIRE(loaded.has_value());
    CHECK(encode_identity(*loaded) == encode_identity(some_identity()));
}

TEST_CASE("a machine that has not joined is told how to", "[agent][identity]") {
    MemoryDisk disk;
    const Result<Identity> loaded = load_identity(disk, "/s");

    REQUIRE(loaded.has_error());
    CHECK(loaded.error().code == errc::not_found);
    CHECK_THAT(loaded.error().hint, Catch::Contains("icos node token"));
}

TEST_CASE("a damaged identity is an error, never a new one", "[agent][identity]") {
    MemoryDisk disk;
    disk.put("/s/identity.json", "{\"node_id\": 7");

    const Result<Identity> loaded = load_identity(disk, "/s");

    REQUIRE(loaded.has_error());
    CHECK_THAT(loaded.error().detail, Catch::Contains("/s/identity.json is damaged"));
}

TEST_CASE("a join that is tried again uses the key of the first attempt", "[agent][identity]") {
    MemoryDisk disk;
    const Result<std::string> first = load_or_make_key(disk, "/s");
    REQUIRE(first.has_value());
    disk.lose_power();

    CHECK(*load_or_make_key(disk, "/s") == *first);
    CHECK_THAT(*first, Catch::StartsWith("-----BEGIN PRIVATE KEY-----"));
}

TEST_CASE("the first certificate is made for the node's own key", "[agent][identity]") {
    const Result<std::string> key = make_key();
    REQUIRE(key.has_value());
    const Result<std::string> certificate = self_signed_certificate(*key, std::string(200, 'n'));

    REQUIRE(certificate.has_value());
    CHECK_THAT(*certificate, Catch::StartsWith("-----BEGIN CERTIFICATE-----"));
    CHECK(self_signed_certificate("no key", "n").has_error());
}

TEST_CASE("a node is described in one line", "[agent][identity]") {
    Facts facts;
    facts.architecture = "x86_64";
    facts.cpu_milli = 4000;
    facts.memory_bytes = 8'375'000'000;
    facts.engine = "docker";
    facts.engine_version = "20.10.24+dfsg1";
    facts.devices = {{"squat.ai/video", "/dev/video0"}};

    CHECK(describe_node("edge-1", facts) == "edge-1 (x86_64, 4 cores, 7.8Gi, docker 20.10, 1 video device)");
    facts.engine.clear();
    facts.devices.clear();
    CHECK(describe_node("edge-1", facts) == "edge-1 (x86_64, 4 cores, 7.8Gi, no container engine)");
}
