// SPDX-License-Identifier: Apache-2.0
#include "icos/agent/container_plan.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>

using namespace icos;
using namespace icos::agent;

namespace {

std::string field(const std::string& tar, std::size_t offset, std::size_t size) {
    const std::string text = tar.substr(offset, size);
    return text.substr(0, text.find('\0'));
}

}  // namespace

TEST_CASE("an archive holds path, owner, mode and content of each file", "[engine][tar]") {
    const auto tar =
        make_tar({{"/etc/app.conf", "a=1\n", 0440, 1000, 2000}, {"/run/secrets/k", std::string(513, 'x')}});

    REQUIRE(tar.has_value());
    REQUIRE(tar->size() == 512 + 512 + 512 + 1024 + 1024);
    CHECK(field(*tar, 0, 100) == "etc/app.conf");
    CHECK(std::strtol(field(*tar, 100, 8).c_str(), nullptr, 8) == 0440);
    CHECK(std::strtol(field(*tar, 108, 8).c_str(), nullptr, 8) == 1000);
    CHECK(std::strtol(field(*tar, 116, 8).c_str(), nullptr, 8) == 2000);
    CHECK(std::strtol(field(*tar, 124, 12).c_str(), nullptr, 8) == 4);
    CHECK(tar->substr(257, 5) == "ustar");
    CHECK(tar->substr(512, 4) == "a=1\n");
    CHECK(field(*tar, 1024, 100) == "run/secrets/k");
}

TEST_CASE("a header's checksum counts its own field as blanks", "[engine][tar]") {
    const auto tar = make_tar({{"/a", "b"}});

    REQUIRE(tar.has_value());
    long sum = 0;
    for (std::size_t i = 0; i < 512; ++i)
        sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>((*tar)[i]);
    CHECK(std::strtol(tar->substr(148, 6).c_str(), nullptr, 8) == sum);
}

TEST_CASE("a long path is split over prefix and name", "[engine][tar]") {
    const std::string folder = "/" + std::string(90, 'd');

    const auto tar = make_tar({{folder + "/" + std::string(60, 'f'), ""}});

    REQUIRE(tar.has_value());
    CHECK(field(*tar, 345, 155) == folder.substr(1));
    CHECK(field(*tar, 0, 100) == std::string(60, 'f'));
}

TEST_CASE("paths that leave the container or fit no archive are refused", "[engine][tar]") {
    const std::string path =
        GENERATE(as<std::string>(), "relative", "/", "/dir/", "/a/../b", "/..", "/" + std::string(300, 'x'));
    CAPTURE(path);

    CHECK(make_tar({{path, "x"}}).has_error());
}

TEST_CASE("an owner beyond the format's range is refused", "[engine][tar]") {
    CHECK(make_tar({{"/a", "x", 0444, 2'097'152, 0}}).has_error());
    CHECK(make_tar({{"/a", "x", 0444, 2'097'151, 0}}).has_value());
}
