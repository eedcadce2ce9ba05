// SPDX-License-Identifier: Apache-2.0
#include "icos/config/config.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace icos;
using namespace icos::config;
using namespace std::chrono_literals;

namespace {

Sections sample() {
    return {
        {"log", Schema{{{"level", Type::text, "info", "Lowest level.", {}, {}, {"debug", "info"}}}}},
        {"modules", Schema{{{"enabled", Type::list, "a, b", "What runs."}}}},
        {"modules.fleet",
         Schema{{
             {"lease", Type::duration, "30s", "Lease.", 1000, 600'000},
             {"port", Type::integer, "7443", "Port.", 0, 65535},
             {"size", Type::bytes, "16Ki", "Size."},
             {"on", Type::boolean, "true", "On."},
         }}},
    };
}

struct Folder {
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "icos-config-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path = pattern;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((path / name).parent_path());
        std::ofstream(path / name) << text;
        return (path / name).string();
    }
    std::filesystem::path path;
};

std::vector<std::string> lines(const Loaded& loaded) {
    std::vector<std::string> all;
    for (const Problem& problem : loaded.problems) all.push_back(problem.place + ": " + problem.message);
    return all;
}

}  // namespace

TEST_CASE("without any source every key has its default", "[config]") {
    const Loaded loaded = load(sample(), {});

    REQUIRE(loaded.config);
    const View& fleet = loaded.config->section("modules.fleet");
    CHECK(fleet.duration("lease") == 30s);
    CHECK(fleet.integer("port") == 7443);
    CHECK(fleet.bytes("size") == 16384);
    CHECK(fleet.boolean("on"));
    CHECK(loaded.config->section("modules").list("enabled") == std::vector<std::string>{"a", "b"});
}

TEST_CASE("file, drop-ins, environment and --set win in this order", "[config]") {
    const Folder folder;
    Source source;
    source.file = folder.write(
        "controller.yaml", "modules:\n  fleet:\n    lease: 1s\n    port: 1\n    size: 1k\n    on: false\n"
    );
    folder.write("conf.d/10.yaml", "modules: {fleet: {port: 2, size: 2k, on: true}}\n");
    folder.write("conf.d/20.yaml", "modules: {fleet: {size: 3k}}\n");
    source.drop_in_directory = (folder.path / "conf.d").string();
    source.environment = {{"ICOS_MODULES_FLEET_SIZE", "4k"}, {"ICOS_LOG_LEVEL", "debug"}};
    source.sets = {"log.level=info"};

    const Loaded loaded = load(sample(), source);

    REQUIRE(loaded.config);
    const View& fleet = loaded.config->section("modules.fleet");
    CHECK(fleet.duration("lease") == 1s);
    CHECK(fleet.integer("port") == 2);
    CHECK(fleet.bytes("size") == 4000);
    CHECK(fleet.boolean("on"));
    CHECK(loaded.config->section("log").text("level") == "info");
}

TEST_CASE("all problems come in one run, each with its place and what was expected", "[config]") {
    const Folder folder;
    Source source;
    source.file = folder.write(
        "c.yaml",
        "log:\n  levle: debug\n  level: loud\nmoduls: 1\nmodules:\n  fleet:\n    port: 70000\n    lease: "
        "soon\n    on: [yes]\n"
    );
    source.sets = {"modules.fleet.prot=1", "nonsense"};

    const Loaded loaded = load(sample(), source);

    CHECK_FALSE(loaded.config);
    CHECK(
        lines(loaded) ==
        std::vector<std::string>{
            "c.yaml:2:3: log.levle: unknown key; did you mean \"level\"?",
            "c.yaml:4:1: moduls: unknown key; did you mean \"modules\"?",
            "--set modules.fleet.prot: unknown key; did you mean \"modules.fleet.port\"?",
            "--set nonsense: expected section.key=value",
            "c.yaml:3:10: log.level: expected one of debug, info, got \"loud\"",
            "c.yaml:7:11: modules.fleet.port: expected an integer in 0..65535, got \"70000\"",
            "c.yaml:8:12: modules.fleet.lease: expected a duration like 500ms, 30s or 1h of at least 1s and "
            "at most 10m, "
            "got \"soon\"",
            "c.yaml:9:9: modules.fleet.on: expected true or false, got \"yes\"",
        }
    );
}

TEST_CASE("a key given twice is a problem, not the last one's win", "[config]") {
    const Folder folder;
    Source source;
    source.file = folder.write("c.yaml", "log:\n  level: debug\n  level: info\nlog: {}\n? [a, b]\n: 1\n");

    const Loaded loaded = load(sample(), source);

    CHECK(
        lines(loaded) ==
        std::vector<std::string>{
            "c.yaml:3:3: log.level: given twice, first in line 2",
            "c.yaml:4:1: log: given twice, first in line 1",
            "c.yaml:5:3: a key must be a plain word",
        }
    );
}

TEST_CASE("broken YAML is one problem with its line", "[config]") {
    const Folder folder;
    Source source;
    source.file = folder.write("c.yaml", "log:\n  level: [\n");

    const auto problems = lines(load(sample(), source));

    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("c.yaml:"));
}

TEST_CASE("a file that is not there is a problem with its path", "[config]") {
    Source source;
    source.file = "/does/not/exist.yaml";

    CHECK(
        lines(load(sample(), source)) ==
        std::vector<std::string>{
            "/does/not/exist.yaml: cannot be read; does it exist, and may this user read it?"
        }
    );
}

TEST_CASE("the rendered default file reads back as the defaults", "[config]") {
    const Folder folder;
    Source source;
    source.file = folder.write("c.yaml", render_default_file(sample(), "sample"));

    const Loaded loaded = load(sample(), source);

    REQUIRE(loaded.config);
    CHECK(loaded.config->section("modules.fleet").text("lease") == "30s");
    CHECK(loaded.config->section("modules").list("enabled") == std::vector<std::string>{"a", "b"});
}

TEST_CASE("asking for a key that the schema lacks is a programming error", "[config]") {
    const View view = defaults(sample()["log"]);

    CHECK(view.text("level") == "info");
    CHECK_THROWS_AS(view.text("colour"), std::logic_error);
}
