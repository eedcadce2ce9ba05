// SPDX-License-Identifier: Apache-2.0
#include "icos/core/log.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstdio>
#include <string>
#include <unistd.h>

namespace {

/// What `write` sends to stderr.
template <class Write>
std::string captured(const icos::LogSettings& settings, Write write) {
    std::FILE* const file = std::tmpfile();
    REQUIRE(file != nullptr);
    std::fflush(stderr);
    const int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    icos::configure_logging(settings);
    write();
    icos::configure_logging({icos::LogLevel::warning, icos::LogFormat::text, true});
    std::fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    std::rewind(file);
    std::array<char, 4096> buffer{};
    const std::size_t length = std::fread(buffer.data(), 1, buffer.size(), file);
    std::fclose(file);
    return {buffer.data(), length};
}

}  // namespace

TEST_CASE("a text line has time, level, source, message and quoted fields", "[core][log]") {
    const std::string line = captured({icos::LogLevel::info, icos::LogFormat::text, true}, [] {
        icos::Log("jobs").info("placed", {{"job", "j-1"}, {"count", 3}});
    });

    REQUIRE(line.size() > 25);
    CHECK(line[4] == '-');
    CHECK(line[23] == 'Z');
    CHECK(line.substr(24) == " info jobs: placed job='j-1' count='3'\n");
}

TEST_CASE("a value cannot forge a line or a field", "[core][log]") {
    const std::string line = captured({icos::LogLevel::info, icos::LogFormat::text, true}, [] {
        icos::Log("jobs").info("a\nb", {{"name", "x' admin='yes\n\x1b[31m\xff"}});
    });

    CHECK(line.substr(24) == " info jobs: a\\nb name='x\\' admin=\\'yes\\n\\x1b[31m\\xff'\n");
}

TEST_CASE("JSON lines are valid JSON whatever the value holds", "[core][log]") {
    const std::string line = captured({icos::LogLevel::info, icos::LogFormat::json, true}, [] {
        icos::Log("jobs").warning("say \"hi\"", {{"name", std::string("a\n\x01\xff{}")}});
    });

    CHECK(line.substr(0, 9) == "{\"time\":\"");
    CHECK(
        line.substr(33) ==
        "\",\"level\":\"warning\",\"logger\":\"jobs\",\"message\":\"say "
        "\\\"hi\\\"\",\"name\":\"a\\n\\u0001\xEF\xBF\xBD{}\"}\n"
    );
}

TEST_CASE("lines below the level are not written, and nothing is when logging is off", "[core][log]") {
    const auto write = [] {
        icos::Log("jobs").debug("quiet");
        icos::Log("jobs").error("loud", icos::Error{icos::errc::io, "disk gone", "replace it"});
    };

    const std::string at_error = captured({icos::LogLevel::error, icos::LogFormat::text, true}, write);
    const std::string off = captured({icos::LogLevel::debug, icos::LogFormat::text, false}, write);

    CHECK(at_error.substr(24) == " error jobs: loud detail='disk gone' code='core.io' hint='replace it'\n");
    CHECK(off.empty());
}
