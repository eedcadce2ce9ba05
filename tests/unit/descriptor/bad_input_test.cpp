// SPDX-License-Identifier: Apache-2.0
#include "places.hpp"
#include "yaml/source.hpp"

#include <catch2/catch.hpp>

using namespace icos::descriptor;
using test::first;
using test::places;
using Places = std::vector<std::string>;

namespace {

std::string repeated(std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
}

}  // namespace

TEST_CASE("unreadable input is refused with one clear place", "[descriptor][yaml]") {
    const std::vector<test::Row> rows{
        {"nothing", "", {"E005 1:1"}},
        {"a comment only", "# nothing\n", {"E005 1:1"}},
        {"an empty document", "---\n...\n", {"E005 1:1"}},
        {"a list", "- a\n", {"E006 1:1"}},
        {"a string", "hello\n", {"E006 1:1"}},
        {"no components and no name", "manifests: []\n", {"E005 1:1"}},
        {"a name but no components", "description: x\nname: a\n", {"E014 1:1"}},
        {"a tab as indentation", "a:\n\tb: 1\n", {"E003 2:1"}},
        {"a tab after spaces", "a:\n  b:\n  \tc: 1\n", {"E003 3:3"}},
        {"text cut within a quote", "name: a\ncomponents:\n  - {name: x, type: \"doc\n", {"E001 4:1"}},
        {"text cut within brackets", "name: a\ncomponents: [{name: x\n", {"E001 3:1"}},
        {"an alias without its anchor", "name: a\ncomponents: [*b]\n", {"E001 2:14"}},
        {"an alias to what contains it", "name: a\ncomponents: &a\n  - *a\n", {"E007 3:5"}},
        {"an invalid byte", "name: a\nb: \xff\n", {"E008 2:4"}},
        {"an overlong encoding", "name: \xc0\x80\n", {"E008 1:7"}},
        {"half a character at the end", "name: \xe2\x82", {"E008 1:7"}},
        {"a surrogate", "name: \xed\xa0\x80\n", {"E008 1:7"}},
        {"UTF-16", "\xff\xfen\x01", {"E008 1:1"}},
    };
    for (const test::Row& row : rows) {
        INFO(row.what);
        CHECK(places(row.text) == row.expected);
        CHECK_FALSE(test::parsed(row.text).application.has_value());
    }
    CHECK(places(std::string_view("name: a\0\n", 9)) == Places{"E008 1:8"});
}

TEST_CASE("limits of size, depth and number of nodes hold", "[descriptor][yaml]") {
    const std::string laugh =
        "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
        "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d]\n";
    std::string nested_aliases = "a0: &a0 [x]\n";
    for (int i = 1; i < 80; ++i) nested_aliases += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);

    CHECK(
        places("name: a\ncomponents: " + repeated("[", 63) + repeated("]", 63) + "\n").back() == "E020 2:14"
    );
    CHECK(
        places("name: a\ncomponents: " + repeated("[", 64) + repeated("]", 64) + "\n") == Places{"E007 2:76"}
    );
    CHECK(places("name: a\ncomponents: " + repeated("[", 100'000)) == Places{"E007 2:76"});
    CHECK(places(laugh) == Places{"E007 4:29"});
    CHECK(places(nested_aliases).front().starts_with("E007"));
    CHECK(places("name: a\ncomponents: [" + repeated("x,", 10'000) + "]\n").front().starts_with("E007 2:"));
    CHECK(places("#" + std::string(1U << 20U, 'x')) == Places{"E007 1:1"});
}

TEST_CASE("a syntax error names the line on which its construct starts", "[descriptor][yaml]") {
    const Diagnostic error = first("name: a\ncomponents:\n  - {name: x, type: \"doc\n", "E001");

    CHECK(error.message.find("starts on line 3") != std::string::npos);
    REQUIRE(error.related.size() == 1);
    CHECK(error.related[0].line == 3);
}

TEST_CASE("columns count characters, not bytes", "[descriptor][yaml]") {
    const std::string text = "name: a\ndescription: \"ü€😀\", x\n";

    CHECK(places(text) == Places{"E001 2:19"});
    CHECK(places("\xEF\xBB\xBFname: a\ncomponents: {é: &x 1, ö: [*y]}\n") == Places{"E001 2:27"});
    CHECK(places("name: Ä\r\ncomponents: []\r\n") == Places{"E015 1:1", "E012 1:7", "E014 2:1"});
}

TEST_CASE("a key given twice is an error at the second, related to the first", "[descriptor][yaml]") {
    const std::string text =
        "name: a\nname: b\ncomponents:\n  - {name: c, type: docker, type: docker, manifests: [{name: "
        "m}]}\nmanifests: []\n";

    CHECK(places(text) == Places{"E004 2:1", "E004 4:29", "E015 5:1"});
    CHECK(first(text, "E004").related.at(0).line == 1);
    CHECK(first(text, "E004").path == "name");
}

TEST_CASE("a list item glued to its dash is named at each key", "[descriptor][yaml]") {
    CHECK(
        places("name: a\ncomponents:\n  -name: c\n  -type: docker\n") ==
        Places{"E015 1:1", "E009 3:3", "E011 3:3", "E009 4:3"}
    );
}

TEST_CASE("a missing space after ':' is repaired, and strict refuses it", "[descriptor][yaml]") {
    const std::string text =
        "name: a\ncomponents:\n  - name:c\n    type: docker\n    manifests: [{name: m}]\n    policies:\n     "
        " - type: scheduler\n"
        "        performance: 0.8\n        security:0.2\nmanifests:\n  - name: m\n    manifest: {services: "
        "{s: {image: x}}}\n";

    CHECK(places(text) == Places{"W002 3:5", "W002 9:9"});
    CHECK(test::parsed(text).application.has_value());
    CHECK(first(text, "W002").message == "\"name:c\" read as \"name: c\" (space missing)");
    CHECK(places(text, {.strict = true}) == Places{"E002 3:5", "E002 9:9"});
    CHECK_FALSE(test::parsed(text, {.strict = true}).application.has_value());
}

TEST_CASE("positions after a repair are those of the original text", "[descriptor][yaml]") {
    const std::string text =
        "name: a\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}], policies: [\n     {type: "
        "scheduler,\n     performance: 1,\n"
        "  energy:0.5\n   , securit: 1}]}\nmanifests:\n  - name: m\n    manifest: {services: {s: {image: "
        "x}}}\n";

    for (const std::string& place : places(text))
        CHECK((place == "E013 6:3" || place == "E013 7:6" || place.starts_with("W0")));
}

TEST_CASE("a text in a block is not repaired", "[descriptor][yaml]") {
    CHECK(places("name: a\ndescription: |\n  security:0.2\n - b\n") == Places{"E001 4:2"});
    CHECK(places("name: a\ndescription: >-\n  security:0.2\n\n - b\n") == Places{"E001 5:2"});
    CHECK(
        places("name: a\ndescription: |\n  security:0.2\ncomponents:\n  - name:c\n    type: docker\n") ==
        Places{"E015 1:1", "E025 5:5", "W002 5:5"}
    );
}

TEST_CASE("repair ends after twenty lines", "[descriptor][yaml]") {
    std::string text = "name: a\ncomponents:\n";
    for (int i = 0; i < 25; ++i) text += fmt::format("  - name:c{}\n    type: docker\n", i);

    const Places found = places(text);

    CHECK(std::count_if(found.begin(), found.end(), [](const std::string& p) {
              return p.starts_with("W002");
          }) == 20);
    CHECK(std::count_if(found.begin(), found.end(), [](const std::string& p) {
              return p.starts_with("E001");
          }) == 1);
}

TEST_CASE("aliases must not multiply a long text", "[descriptor][yaml]") {
    const std::string half(1U << 19U, 'x');
    const std::string repeated_text = "a: &a " + half + "\nb: [*a, *a, *a]\n";
    const std::string repeated_comment = "a: &a\n  k: 1\n  #" + half + "\n  l: 1\nb: [*a, *a, *a]\n";
    const std::string nested = "a: &a " + half + "\nb: &b [*a]\nc: [*b, *b]\n";

    CHECK(places(repeated_text) == Places{"E007 2:13"});
    CHECK(places(repeated_comment) == Places{"E007 5:9"});
    CHECK(places(nested) == Places{"E007 3:5"});
}

TEST_CASE("what is said of a long text is short", "[descriptor]") {
    const std::string huge(1U << 19U, 'x');
    const std::string umlauts = repeated("\u00fc", 1U << 18U);
    const std::string tail = "manifests: [{name: m, manifest: {services: {s: {image: x}}}}]\n";
    std::string bad_keys;
    for (int i = 0; i < 1000; ++i) bad_keys += fmt::format(", z{}: 1", i);
    for (const std::string& text : {
             "name: " + umlauts + "\ncomponents: [{name: c, type: docker, manifests: [{name: m}]}]\n" + tail,
             "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: " + huge + "}]}]\n" + tail,
             "name: a\ncomponents: [{name: " + huge +
                 ", type: docker, manifests: [{name: m}, {name: m}]}]\n" + tail,
             "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}], requirements: {memory: " +
                 huge + "}}]\n" + tail,
             "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}], policies: [{security: " +
                 umlauts + "}]}]\n" + tail,
             "? " + huge + "\n: 1\nname: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}]}]\n" +
                 tail,
             "name: a\ncomponents: [{name: c, type: docker, manifests: [{name: m}]}]\nmanifests:\n  - name: "
             "m\n    "
             "manifest:\n      services:\n        ? " +
                 huge + "\n        : {image: x, ports: [1-1024]" + bad_keys + "}\n",
         }) {
        const std::vector<Diagnostic> found = parse(text).diagnostics;
        REQUIRE(found.size() > 1);
        for (const Diagnostic& diagnostic : found) {
            REQUIRE(diagnostic.message.size() < 500);
            REQUIRE(diagnostic.path.size() < 500);
            REQUIRE(diagnostic.hint.size() < 500);
            // Cut between characters: what is said is still a text.
            REQUIRE_FALSE(yaml::Source::bad_byte(diagnostic.message).has_value());
        }
    }
}

TEST_CASE("ten thousand components are too many, some hundred are not", "[descriptor]") {
    const auto components = [](int count) {
        std::string text = "name: a\ncomponents:\n";
        for (int i = 0; i < count; ++i)
            text += fmt::format("  - {{name: c{0}, type: docker, manifests: [{{name: m{0}}}]}}\n", i);
        text += "manifests:\n";
        for (int i = 0; i < count; ++i)
            text += fmt::format("  - {{name: m{0}, manifest: {{services: {{s: {{image: x}}}}}}}}\n", i);
        return text;
    };

    CHECK(places(components(10'000)).front().starts_with("E007"));
    CHECK(places(components(400)) == Places{});
}

TEST_CASE("components may need each other in a circle, and one its own service", "[descriptor]") {
    const Parsed parsed = test::parsed(
        "name: a\ncomponents:\n"
        "  - {name: c, type: docker, manifests: [{name: m}], communication: {incoming: n, outgoing: m}}\n"
        "  - {name: d, type: docker, manifests: [{name: n}], communication: {incoming: o, outgoing: n}}\n"
        "  - {name: e, type: docker, manifests: [{name: o}], communication: {incoming: [m, o], outgoing: "
        "[o]}}\n"
        "manifests:\n  - {name: m, manifest: {services: {s: {image: x}}}}\n  - {name: n, manifest: "
        "{services: {t: "
        "{image: x}}}}\n  - {name: o, manifest: {services: {u: {image: x}}}}\n"
    );

    REQUIRE(parsed.application.has_value());
    CHECK(
        parsed.application->edges == std::vector<std::pair<std::size_t, std::size_t>>{{0, 1}, {1, 2}, {2, 0}}
    );
}
