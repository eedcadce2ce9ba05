// SPDX-License-Identifier: Apache-2.0
#include "data_directory.hpp"

#include "manual_runtime.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

using namespace icos;
using namespace icos::controller;

namespace {

struct Folder {
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "icos-data-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path = pattern;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::filesystem::path path;
};

}  // namespace

TEST_CASE("the first start makes an identity for its owner only, later ones find it again", "[controller]") {
    const Folder folder;
    const std::string directory = (folder.path / "new" / "data").string();
    test::ManualRuntime runtime;
    const auto disk = make_posix_disk();

    const Identity first = open_data_directory(runtime, *disk, directory).value();
    const Identity second = open_data_directory(runtime, *disk, directory).value();

    CHECK(first.controller_id.size() == 36);
    CHECK(first.admin_token.size() == 48);
    CHECK(second.controller_id == first.controller_id);
    CHECK(second.admin_token == first.admin_token);
    using std::filesystem::perms;
    CHECK(std::filesystem::status(directory).permissions() == perms::owner_all);
    CHECK(
        std::filesystem::status(directory + "/admin.token").permissions() ==
        (perms::owner_read | perms::owner_write)
    );
}

TEST_CASE("an emptied token file is refused, not taken as a token", "[controller]") {
    const Folder folder;
    test::ManualRuntime runtime;
    const auto disk = make_posix_disk();
    REQUIRE(write_durably(*disk, (folder.path / "admin.token").string(), "\n"));

    const auto identity = open_data_directory(runtime, *disk, folder.path.string());

    REQUIRE(identity.has_error());
    CHECK(identity.error().detail.find("admin.token") != std::string::npos);
}

TEST_CASE("tokens are equal when every character is", "[controller]") {
    CHECK(equal_in_constant_time("abc", "abc"));
    CHECK_FALSE(equal_in_constant_time("abd", "abc"));
    CHECK_FALSE(equal_in_constant_time("abcabc", "abc"));
    CHECK_FALSE(equal_in_constant_time("ab", "abc"));
    CHECK_FALSE(equal_in_constant_time("", "abc"));
    CHECK_FALSE(equal_in_constant_time("abc", ""));
}
