// SPDX-License-Identifier: Apache-2.0
#include "compose/interpolate.hpp"
#include "compose/shell_words.hpp"
#include "field.hpp"
#include "nearest.hpp"

#include <catch2/catch.hpp>

#include <array>

using namespace icos::descriptor;
using compose::shell_words;
using Words = std::vector<std::string>;

TEST_CASE("a command is split as a shell would split it", "[descriptor][compose]") {
    CHECK(shell_words("a  b\tc\n") == Words{"a", "b", "c"});
    CHECK(shell_words("") == Words{});
    CHECK(shell_words("''") == Words{""});
    CHECK(shell_words("a'b c'\"d e\"f") == Words{"ab cd ef"});
    CHECK(shell_words("'a\\b'") == Words{"a\\b"});
    CHECK(shell_words("\"a\\\"b\\c\\\\\"") == Words{"a\"b\\c\\"});
    CHECK(shell_words("a\\\nb") == Words{"ab"});
    CHECK(shell_words("\\'") == Words{"'"});
    CHECK_FALSE(shell_words("'a").has_value());
    CHECK_FALSE(shell_words("\"a").has_value());
    CHECK_FALSE(shell_words("a\\").has_value());
}

TEST_CASE("variables take their defaults, however deep", "[descriptor][compose]") {
    struct Case {
        std::string_view text;
        std::string_view result;
    };
    for (const Case& c : std::array<Case, 11>{{
             {"plain", "plain"},
             {"a$$b", "a$b"},
             {"$${A}", "${A}"},
             {"${A:-b}", "b"},
             {"${A-b}", "b"},
             {"${A:-}", ""},
             {"${A:+b}", ""},
             {"${A+b}c", "c"},
             {"x${A:-${B:-c}d}y", "xcdy"},
             {"${A:-a:b-c?}", "a:b-c?"},
             {"}{", "}{"},
         }}) {
        INFO(c.text);
        const compose::Interpolation result = compose::interpolate(c.text);
        CHECK(result.problem.empty());
        CHECK(result.text == c.result);
    }
}

TEST_CASE("variables that cannot be resolved say why", "[descriptor][compose]") {
    for (const std::string_view text :
         {"$A",
          "${A}",
          "${A:?no}",
          "${A?no}",
          "${",
          "${}",
          "${A",
          "${A:",
          "${A:-b",
          "${A:=b}",
          "${1}",
          "$",
          "$1",
          "a$ b",
          "${A:-${B}}",
          "${A.b}"}) {
        INFO(text);
        CHECK_FALSE(compose::interpolate(text).problem.empty());
    }
    std::string deep;
    for (int i = 0; i < 1000; ++i) deep += "${A:-";
    CHECK_FALSE(compose::interpolate(deep).problem.empty());
}

TEST_CASE("the nearest word is one that a typist could have meant", "[descriptor]") {
    constexpr std::array<std::string_view, 4> kWords{"image", "volumes", "cpu", "working_dir"};

    CHECK(nearest("imgae", kWords) == "image");
    CHECK(nearest("Image", kWords) == "image");
    CHECK(nearest("volume", kWords) == "volumes");
    CHECK(nearest("cpuu", kWords) == "cpu");
    CHECK(nearest("working-dir", kWords) == "working_dir");
    CHECK(nearest("zebra", kWords).empty());
    CHECK(nearest("d", std::array<std::string_view, 2>{"m", "n"}).empty());
    CHECK(nearest("D", std::array<std::string_view, 2>{"m", "d"}) == "d");
    CHECK(nearest(std::string(1000, 'i'), kWords).empty());
}

TEST_CASE("names become RFC 1123 labels", "[descriptor]") {
    CHECK(to_rfc1123("My_application 2!") == "my-application-2");
    CHECK(to_rfc1123("--a--") == "a");
    CHECK(to_rfc1123("***").empty());
    CHECK(is_rfc1123(to_rfc1123(std::string(62, 'a') + "-b")));
    CHECK(is_rfc1123("a-1"));
    CHECK_FALSE(is_rfc1123(""));
    CHECK_FALSE(is_rfc1123("-a"));
    CHECK_FALSE(is_rfc1123(std::string(64, 'a')));
}

TEST_CASE("durations are those of Prometheus", "[descriptor]") {
    CHECK(prometheus_duration_ms("250ms") == 250U);
    CHECK(prometheus_duration_ms("5m") == 300'000U);
    CHECK(prometheus_duration_ms("1y") == 31'536'000'000U);
    for (const std::string_view text :
         {"", "5", "m", "1h30m", "-1s", "1.5s", "5 m", "99999999999999999999s", "999999999999999999y"}) {
        INFO(text);
        CHECK_FALSE(prometheus_duration_ms(text).has_value());
    }
}
