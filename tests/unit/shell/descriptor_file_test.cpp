// SPDX-License-Identifier: Apache-2.0
#include "commands/descriptor_file.hpp"

#include "commands/commands.hpp"
#include "icos/descriptor/descriptor.hpp"

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

TEST_CASE("every starter is valid to the letter, whatever it runs on", "[shell]") {
    for (const char* type : {"docker", "kubernetes", "multiple"}) {
        INFO(type);
        const Result<std::string> text = starter(type, "my-app");

        REQUIRE(text.has_value());
        descriptor::Options strict;
        strict.strict = true;
        const descriptor::Parsed parsed = descriptor::parse(*text, strict);
        REQUIRE(parsed.application.has_value());
        CHECK(parsed.application->name == "my-app");
        CHECK(to_string(parsed.application->components[0].type) == type);
        for (const descriptor::Diagnostic& problem : parsed.diagnostics)
            CHECK(problem.severity == descriptor::Severity::info);
        // What is commented out is valid too once it is not.
        std::string whole = *text;
        for (std::size_t at = whole.find("\n    # "); at != std::string::npos;
             at = whole.find("\n    # ", at))
            whole.replace(at, 7, "\n    ");
        const auto found = descriptor::parse(whole, strict).diagnostics;
        for (const descriptor::Diagnostic& problem : found) {
            if (problem.severity == descriptor::Severity::info) continue;
            CHECK(problem.code == "E072");  // the service of the component that is not there
        }
    }
}

TEST_CASE("there is no starter for a name that would not be valid", "[shell]") {
    for (const char* name : {"My App", "yes", "12", "", "a: b", "a\nb: c", "***"}) {
        INFO(name);
        CHECK(starter("docker", name).has_error());
    }
    CHECK(starter("docker", "My App").error().hint == "write \"my-app\"");
    CHECK(starter("docker", "12").error().hint == "quote it: \"12\"");
}

TEST_CASE("validate needs no controller, and reads several files", "[shell]") {
    const auto folder = std::filesystem::temp_directory_path();
    const auto good = folder / "icos-shell-test-good.yaml";
    const auto bad = folder / "icos-shell-test-bad.yaml";
    std::ofstream(good) << *starter("docker", "good");
    std::ofstream(bad) << "name: my app\n"
                       << starter("docker", "bad")->substr(starter("docker", "bad")->find("components"));

    CHECK(validate({{good.string(), bad.string()}, false}, Format::name) == kDone);
    CHECK(validate({{good.string(), bad.string()}, true}, Format::name) == kInvalidDescriptor);
    CHECK(validate({{good.string(), folder / "none.yaml"}, false}, Format::name) == kRefused);

    std::filesystem::remove(good);
    std::filesystem::remove(bad);
}
