// SPDX-License-Identifier: Apache-2.0
#include "commands/descriptor_file.hpp"

#include "commands/commands.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace icos;
using namespace icos::shell;

TEST_CASE("a file that is not there is an error with its path", "[shell]") {
    const auto files = read_descriptors({"/does/not/exist.yaml"}, false);

    REQUIRE(files.has_error());
    CHECK(files.error().detail == "/does/not/exist.yaml: No such file or directory");
}

TEST_CASE("a descriptor with errors ends validate with 3", "[shell]") {
    const auto path = std::filesystem::temp_directory_path() / "icos-shell-test-bad.yaml";
    std::ofstream(path) << "name: x\n";

    const int code = validate({{path.string()}, false}, Format::name);

    std::filesystem::remove(path);
    CHECK(code == kInvalidDescriptor);
}
