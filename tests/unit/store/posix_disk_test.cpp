// SPDX-License-Identifier: Apache-2.0
#include "icos/store/disk.hpp"
#include "store_world.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>

using namespace icos;

TEST_CASE("a file reads back what was written, and is for its owner only", "[disk]") {
    const test::StoreWorld world;
    auto disk = make_posix_disk();
    const std::string path = (world.directory / "f").string();
    auto file = disk->open(path).value();

    REQUIRE(file->write(0, "hello"));
    REQUIRE(file->write(3, "p!"));
    REQUIRE(file->truncate(4));
    REQUIRE(file->sync());

    CHECK(file->read(0, 100).value() == "help");
    CHECK(file->size().value() == 4);
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600);
}

TEST_CASE("write_durably replaces a file as a whole", "[disk]") {
    const test::StoreWorld world;
    auto disk = make_posix_disk();
    const std::string path = (world.directory / "f").string();
    REQUIRE(write_durably(*disk, path, "a long first version"));

    REQUIRE(write_durably(*disk, path, "second"));

    CHECK(disk->read_all(path).value() == "second");
    CHECK(disk->list(world.directory.string()).value() == std::vector<std::string>{"f"});
}

TEST_CASE("a missing file is not found, with its path", "[disk]") {
    auto disk = make_posix_disk();

    const auto text = disk->read_all("/does/not/exist");

    REQUIRE(text.has_error());
    CHECK(stable_code(text.error()) == "core.not_found");
    CHECK(text.error().detail == "/does/not/exist: No such file or directory");
}

TEST_CASE("a full file system is store.full", "[disk]") {
    auto disk = make_posix_disk();
    auto file = disk->open("/dev/full").value();

    const auto written = file->write(0, "x");

    REQUIRE(written.has_error());
    CHECK(stable_code(written.error()) == "store.full");
}
